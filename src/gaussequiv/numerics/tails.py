"""Normal tails without cancellation."""

from __future__ import annotations

import numpy as np
from scipy import special

from gaussequiv.errors import FloatArray

_FAR = -80.0  # beyond, the series is closer than what cancels in t + r: both have 12 digits here


def inverse_mills(t: FloatArray) -> FloatArray:
    """g(t)/Phi(t), density over distribution function of the standard normal law: about -t far to the left, 0 far to the right.

    Examples
    --------
    >>> inverse_mills(np.array([-1e9, 0.0, 50.0])).round(6).tolist()
    [1000000000.0, 0.797885, 0.0]
    """
    return np.sqrt(2 / np.pi) / special.erfcx(-np.asarray(t, float) * np.sqrt(0.5))


def bend(t: FloatArray) -> FloatArray:
    """r (t + r) with r = g/Phi: minus the second derivative of log Phi; tends to 1 far to the left.

    Examples
    --------
    >>> bend(np.array([-1e9, 0.0])).round(6).tolist()
    [1.0, 0.63662]
    """
    t = np.asarray(t, float)
    r = inverse_mills(t)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        inverse = 1 / (t * t)
        far = 1 + inverse * (-2 + inverse * (10 - 74 * inverse))  # -(t + r) t
        far = far * (1 + inverse * (1 - inverse * (2 - 10 * inverse)))  # times -r/t
        return np.where(t < _FAR, far, r * np.where(np.isfinite(t), t + r, 0.0))
