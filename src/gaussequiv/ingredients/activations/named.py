"""The activations that files and the command line name."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import special

from gaussequiv.errors import fail, integer
from gaussequiv.ingredients.activations.base import Activation, register, register_form
from gaussequiv.ingredients.activations.erf import Erf
from gaussequiv.ingredients.activations.piecewise_linear import PiecewiseLinear, leaky_relu
from gaussequiv.ingredients.activations.sign import SignActivation
from gaussequiv.ingredients.activations.sine import Sine


def hermite(degree: int) -> Activation:
    """The normalised probabilists' Hermite polynomial He_k(x)/sqrt(k!), of unit variance under a standard normal input."""
    k = integer("degree", degree, minimum=0)
    if k > 20:  # beyond, the polynomial's mass leaves the range of the quadrature
        raise fail("degree", "at most 20", degree)
    coefficients = np.eye(k + 1)[k] / np.sqrt(special.factorial(k))
    return Activation(partial(np.polynomial.hermite_e.hermeval, c=coefficients), name=f"hermite:{k}", smooth=k <= 1)


register("linear", lambda: PiecewiseLinear(1.0, 0.0, "linear"))
register("erf", Erf)
register("tanh", lambda: Activation(np.tanh, name="tanh", smooth=True))
register("relu", lambda: PiecewiseLinear(0.5, 0.5, "relu"))
register("leaky_relu", lambda: leaky_relu(0.01))
register("abs", lambda: PiecewiseLinear(0.0, 1.0, "abs"))
register("gelu", lambda: Activation(lambda x: x * special.ndtr(x), name="gelu"))
register("swish", lambda: Activation(lambda x: x * special.expit(x), name="swish"))
register("sigmoid", lambda: Activation(special.expit, name="sigmoid"))
register("softplus", lambda: Activation(lambda x: np.logaddexp(0.0, x), name="softplus"))
register("sign", SignActivation)
register("sine", Sine)
register_form("hermite", "K", lambda text: hermite(int(text)))
register_form("leaky_relu", "SLOPE", lambda text: leaky_relu(float(text)))
