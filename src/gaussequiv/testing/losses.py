"""`check_loss`: a convex loss with its slope, curvature, kinks and proximal map."""

from __future__ import annotations

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.losses.base import Loss
from gaussequiv.testing.contract import close, members, require

_STEP = 1e-5
_JUMP = 1e-3


def check_loss(loss: Loss) -> None:
    """Check that a loss is convex and that slope, curvature, kinks and proximal map are those of its value.

    Raises
    ------
    ContractError : value f(t) not convex; f', f'' not its derivatives; a kink that is missing or has other slopes; a proximal map that does
        not minimise (x - omega)^2/(2 V) + l(y, x), or its derivative.

    Validity: t in [-6, 6], V from 0.1 to 10; where f is infinite only the kinks' finite sides are looked at.

    Examples
    --------
    >>> from gaussequiv.ingredients.losses.named import Huber
    >>> check_loss(Huber(1.35))
    """
    members(loss, ("name", "kind", "at", "slope_at", "curvature_at", "kinks", "proximal", "to_dict"), "Loss in ingredients/losses/base.py")
    require(
        loss.kind in ("margin", "residual"), loss, f"kind is {loss.kind!r}.", "It must be 'margin' (t = y z) or 'residual' (t = z - y)."
    )
    t = np.linspace(-5.97, 6.01, 400)
    with np.errstate(invalid="ignore", over="ignore"):
        t = t[np.isfinite(loss.at(t))]
    require(t.size > 10, loss, f"its value is finite at {t.size} of 400 places in [-6, 6].", "Return finite numbers where the loss is.")
    _convex(loss, t)
    places = np.array([position for position, _, _ in loss.kinks])
    smooth = t[np.all(np.abs(t[:, None] - places) > 0.01, axis=1)]
    _derivatives(loss, smooth)
    _declared(loss)
    _complete(loss, t, places)
    _proximal(loss)
    _exponential(loss, t)


def _convex(loss: Loss, t: FloatArray) -> None:
    a, b = t[::7, None], t[None, ::11]
    chord, middle = 0.5 * (loss.at(a) + loss.at(b)), loss.at(0.5 * (a + b))
    excess = middle - chord - 1e-10 * (1 + np.abs(chord))
    i, j = np.unravel_index(int(np.argmax(excess)), excess.shape)
    wrong = (
        f"f is not convex: midway between t={a[i, 0]:.4g} and {b[0, j]:.4g} it is {middle[i, j]:.6g}, above the chord {chord[i, j]:.6g}."
    )
    require(bool(excess[i, j] <= 0), loss, wrong, "The theory holds for convex losses only.")


def _derivatives(loss: Loss, t: FloatArray) -> None:
    slope = (loss.at(t + _STEP) - loss.at(t - _STEP)) / (2 * _STEP)
    wrong = "`slope_at` is not the derivative of `at`: at t={at} it is {found}, differences give {expected}."
    mend = "Check its sign and factors; a kink between must be declared in `kinks`."
    close(loss, loss.slope_at(t), slope, 1e-4 * (1 + np.abs(slope)), t, wrong, mend)
    middle = loss.slope_at(t)
    ahead, behind = (loss.slope_at(t + _STEP) - middle) / _STEP, (middle - loss.slope_at(t - _STEP)) / _STEP
    plain = np.abs(ahead - behind) <= 1e-3 * (1 + np.abs(ahead))
    wrong = "`curvature_at` is not the derivative of `slope_at`: at t={at} it is {found}, differences give {expected}."
    central = 0.5 * (ahead + behind)[plain]
    close(loss, loss.curvature_at(t)[plain], central, 2e-3 * (1 + np.abs(central)), t[plain], wrong, "Differentiate `slope_at` once more.")
    label = 1.0 if loss.kind == "residual" else -1.0
    field = label + t if loss.kind == "residual" else label * t
    sign = 1.0 if loss.kind == "residual" else label
    wrong = "`slope(y, z)` is not dl/dz: at z={at} it is {found}, the chain rule gives {expected}."
    close(
        loss, loss.slope(label, field), sign * loss.slope_at(t), 1e-6 * (1 + np.abs(slope)), field, wrong, "It is y f'(y z) or f'(z - y)."
    )


def _declared(loss: Loss) -> None:
    for position, left, right in loss.kinks:
        for side, expected in ((-1, left), (1, right)):
            if np.isfinite(expected):
                at = np.array([position + side * 1e-7])
                wrong = f"the kink at t={position:.6g} declares the slope {{expected}} on one side, but `slope_at({{at}})` is {{found}}."
                mend = "`kinks` lists (position, slope to the left, slope to the right)."
                close(loss, loss.slope_at(at), expected, 1e-4 * (1 + abs(expected)), at, wrong, mend)


def _complete(loss: Loss, t: FloatArray, places: FloatArray) -> None:
    """Intervals with the largest rise of f' are halved: what still rises is a kink."""
    edges = np.linspace(t[0], t[-1], 4001)
    known = np.any((places >= edges[:-1, None] - 1e-9) & (places <= edges[1:, None] + 1e-9), axis=1)
    rise = np.where(known, -np.inf, np.diff(loss.slope_at(edges)))
    first = np.argsort(rise)[-20:]
    low, high = edges[first], edges[first + 1]
    for _ in range(30):
        middle = 0.5 * (low + high)
        slope = loss.slope_at(middle)
        left = slope - loss.slope_at(low) > loss.slope_at(high) - slope
        low, high = np.where(left, low, middle), np.where(left, middle, high)
    jump = np.where(known[first], 0.0, loss.slope_at(high) - loss.slope_at(low))
    worst = int(np.argmax(jump))
    wrong = f"f' jumps by {jump[worst]:.6g} at t={low[worst]:.6g}, which `kinks` does not list."
    mend = f"Add ({low[worst]:.6g}, {loss.slope_at(low)[worst]:.6g}, {loss.slope_at(high)[worst]:.6g}) to `kinks`."
    require(bool(jump[worst] <= _JUMP), loss, wrong, mend)


def _proximal(loss: Loss) -> None:
    omega, V = np.linspace(-3.03, 3.01, 41)[:, None], np.array([0.1, 1.0, 10.0])[None, :]
    for y in (-1.0, 1.0):
        g, dg = loss.proximal(y, omega, V)
        x = omega + V * g
        require(g.shape == dg.shape == (41, 3), loss, f"`proximal` gives shapes {g.shape}, {dg.shape} instead of (41, 3).", "Broadcast.")
        reach = 1e-6 * (1 + np.abs(x))
        sides = np.stack([loss.slope(y, x - reach), loss.slope(y, x + reach)])
        finite = np.all(np.isfinite(loss.value(y, np.stack([x - reach, x + reach]))), axis=0)
        nearest = np.clip(-g, sides[0], np.maximum(sides[0], sides[1]))
        wrong = "`proximal` does not minimise (x - omega)^2/(2 V) + l(y, x): at omega={at} -g is {found}, the slope of l {expected}."
        mend = "g is (x - omega)/V at the minimum x, where -g lies between the slopes of l on both sides."
        place = np.broadcast_to(omega, g.shape)
        close(loss, -g[finite], nearest[finite], 1e-6 * (1 + np.abs(g[finite])), place[finite], wrong, mend)
        ahead = (loss.proximal(y, omega + _STEP, V)[0] - g) / _STEP
        behind = (g - loss.proximal(y, omega - _STEP, V)[0]) / _STEP
        plain = np.abs(ahead - behind) <= 1e-3 * (1 + np.abs(ahead))
        central = 0.5 * (ahead + behind)[plain]
        wrong = "the second value of `proximal` is not dg/domega: at omega={at} it is {found}, differences give {expected}."
        close(loss, dg[plain], central, 2e-3 * (1 + np.abs(central)), place[plain], wrong, "It is -f''/(1 + V f''), and -1/V at a kink.")
        ahead, behind = (loss.proximal(y, omega, V * (1 + side * _STEP))[0] for side in (1, -1))
        central = (ahead - behind) / (2 * V * _STEP)
        bent = np.abs(ahead - 2 * g + behind) > 1e-3 * _STEP * (1 + np.abs(g))  # at a kink of g in V
        slope = loss.slope_in_V(y, omega, V, g, dg)
        wrong = "`slope_in_V` is not dg/dV: at omega={at} it is {found}, differences give {expected}."
        mend = "It is g dg/domega for a proximal map: leave it to `Loss`."
        close(loss, slope[~bent], central[~bent], 2e-3 * (1 + np.abs(central[~bent])), place[~bent], wrong, mend)


def _exponential(loss: Loss, t: FloatArray) -> None:
    if loss.tilts:
        wrong = "it declares `tilts`, but at t={at} its value is {found}, not exp(-t) = {expected}."
        close(loss, loss.at(t), np.exp(-t), 1e-12 * np.exp(-t), t, wrong, "Leave `tilts` out.")
