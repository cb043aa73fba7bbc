"""`check_activation`: an elementwise function and its Gaussian moments."""

from __future__ import annotations

import numpy as np

from gaussequiv._jax import float64_scope
from gaussequiv.errors import ArgumentError, FloatArray
from gaussequiv.ingredients.activations.base import Activation
from gaussequiv.numerics.panels import legendre_panels
from gaussequiv.testing.contract import close, members, require

_PAIRS = ((1.0, 0.5), (2.0, 0.3), (0.5, 0.0))


def check_activation(activation: Activation) -> None:
    r"""Check that an activation acts elementwise, that `dual`, `coefficients` and `kernel` are its Gaussian moments, `traced` itself.

    The oracle is a product rule: u = sqrt(K0) b + sqrt(sigma - K0) z, Gauss-Legendre panels between the kinks,
    a trapezoidal rule in b.

    Raises
    ------
    ContractError : a block of numbers is not treated elementwise; a moment differs by more than 1e-6 of E phi^2.

    Examples
    --------
    >>> from gaussequiv.ingredients.activations import base
    >>> check_activation(base.get("relu"))
    """
    members(activation, ("name", "kinks", "dual", "coefficients", "kernel", "traced"), "Activation in ingredients/activations/base.py")
    block = np.linspace(-2.3, 2.2, 12).reshape(3, 4)
    values = np.asarray(activation(block))
    require(values.shape == (3, 4), activation, f"an array of shape (3, 4) becomes one of shape {values.shape}.", "Act elementwise.")
    single = np.array([float(np.asarray(activation(np.array([x])))[0]) for x in block.ravel()]).reshape(3, 4)
    wrong = "it is not elementwise: in a block phi({at}) is {found}, alone {expected}."
    close(activation, values, single, 1e-12 * (1 + np.abs(single)), block, wrong, "A value must not depend on its neighbours.")
    for variance, covariance in _PAIRS:
        _compare(activation, variance, covariance)
    _compare_blocks(activation)
    _compare_traced(activation, block, values)


def _compare_blocks(activation: Activation) -> None:
    """The kernel at unequal variances; its slope is the derivative in c, E phi(u)phi(v) ((Px)_1 (Px)_2 - P_12), P = 1/Sigma."""
    s1, s2, c = np.array([0.7, 1.3]), np.array([1.0, 1.6, 0.5]), np.array([[0.3, -0.2, 0.1], [0.0, 0.8, -0.4]])
    product, slope = np.empty_like(c), np.empty_like(c)
    for i, j in np.ndindex(*c.shape):
        (u, wu), (v, wv) = (_nodes(activation, variance, 40) for variance in (float(s1[i]), float(s2[j])))
        determinant = s1[i] * s2[j] - c[i, j] ** 2
        first, second = (np.add.outer(a * u, b * v) / determinant for a, b in ((s2[j], -c[i, j]), (-c[i, j], s1[i])))
        law = np.multiply.outer(wu, wv) * np.exp(-0.5 * (first * u[:, None] + second * v)) / (2 * np.pi * np.sqrt(determinant))
        product[i, j] = activation(u) @ law @ activation(v)
        slope[i, j] = activation(u) @ (law * (first * second + c[i, j] / determinant)) @ activation(v)
    kernel, size = activation.kernel(), 1e-6 * max(1.0, float(np.max(np.abs(product))))
    mend = "Check the closed form; without one, leave `kernel` to Activation(function, kinks=(...))."
    wrong = "`kernel().{name}` at covariance {{at}} is {{found}}, quadrature of the function gives {{expected}}."
    close(activation, kernel.product(c.copy(), s1, s2), product, size, c, wrong.format(name="product"), mend)
    try:
        found = kernel.slope(c.copy(), s1, s2)
    except ArgumentError:  # a jump has no tangent kernel
        return
    close(activation, found, slope, size, c, wrong.format(name="slope"), mend)


def _compare_traced(activation: Activation, x: FloatArray, values: FloatArray) -> None:
    """What JAX traces is the same function, where JAX can trace it: theory does not need it."""
    try:
        call = activation.traced()
    except ArgumentError:
        return
    with float64_scope():
        found = np.asarray(call(x))
    wrong = "`traced()` at {at} gives {found}, the function itself {expected}."
    close(
        activation,
        found,
        values,
        1e-9 * (1 + np.abs(values)),
        x,
        wrong,
        "Leave `traced` to the function, or write the same with jax.numpy.",
    )


def _nodes(activation: Activation, variance: float, panels: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on panels between the kinks, within 10 standard deviations."""
    reach = 10 * np.sqrt(variance)
    kinks = [kink for kink in activation.kinks if abs(kink) < reach]
    edges = np.unique(np.concatenate([np.linspace(-reach, reach, panels + 1), kinks]))
    nodes, weights = (a[0] for a in legendre_panels(edges[None, :], 10))
    return nodes, weights


def _compare(activation: Activation, variance: float, covariance: float) -> None:
    gap, spread_b = variance - covariance, np.sqrt(covariance)
    nodes, weights = _nodes(activation, variance, 80)
    phi = activation(nodes)
    law = weights * np.exp(-0.5 * nodes**2 / variance) / np.sqrt(2 * np.pi * variance)
    b = np.arange(-180, 181) * 0.05
    weight_b = 0.05 * np.exp(-0.5 * b * b) / np.sqrt(2 * np.pi)
    z = (nodes[None, :] - spread_b * b[:, None]) / np.sqrt(gap)
    inner = weights * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi * gap)
    product = float(weight_b @ (inner @ phi) ** 2)
    slope = float(weight_b @ ((inner * z) @ phi) ** 2) / gap
    second = float(law @ phi**2)
    expected = {"product": product, "slope": slope, "second": second, "spread": second - product}
    expected["residue"] = second - product - slope * gap
    found = activation.dual(variance, covariance)._asdict()
    for name, value in expected.items():
        wrong = f"`dual({variance:g}, {covariance:g}).{name}` is {{found}}, quadrature of the function gives {{expected}}."
        mend = "Check the closed form; without one, leave `dual` to Activation(function, kinks=(...)) and declare every kink."
        close(activation, found[name], value, 1e-6 * max(1.0, second), 0.0, wrong, mend)
    kappa = activation.coefficients(variance)
    mean, linear = float(law @ phi), float(law @ (nodes * phi)) / variance
    star = second - mean**2 - variance * linear**2
    for name, value, right in (
        ("kappa0", kappa.kappa0, mean),
        ("kappa1", kappa.kappa1, linear),
        ("kappa_star^2", kappa.kappa_star**2, star),
    ):
        wrong = f"`coefficients({variance:g})` has {name} = {{found}}, quadrature of the function gives {{expected}}."
        close(activation, value, right, 1e-6 * max(1.0, second), 0.0, wrong, "They are E phi, E phi' and what of E phi^2 both leave.")
