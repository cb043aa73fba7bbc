"""Whether a loss is convex, judged on a grid."""

from __future__ import annotations

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray
from gaussequiv.ingredients.losses.base import Loss

# rounded: the slope between points one ulp apart would be rounding
PROBE = np.unique(np.round(np.concatenate([np.linspace(-30, 30, 601), np.linspace(-3, 3, 601)]), 6))
_FAR: FloatArray = 30 * 1.1 ** np.arange(110.0)  # up to 1e6, for thresholds in large units
FAR: tuple[FloatArray, FloatArray] = (-_FAR[::-1], _FAR)


def check_convex(loss: Loss) -> None:
    """Refuse a loss whose slope falls anywhere on a grid of [-1e6, 1e6], fine in [-30, 30]; slopes that overflow are passed over."""
    with np.errstate(all="ignore"):
        check_rising(loss.name, PROBE, loss.slope_at(PROBE))
        for t in FAR:
            check_rising(loss.name, t, loss.slope_at(t))


def check_rising(name: str, t: FloatArray, slope: FloatArray, curvature: FloatArray | None = None) -> None:
    """Refuse slopes that fall along t, or a curvature that is negative, by more than rounding."""
    finite = np.isfinite(slope) & (np.abs(slope) < 1e150)
    t, slope = t[finite], slope[finite]
    if t.size < 2:
        return
    scale = 1e-9 * (1e-300 + np.abs(slope[1:]) + np.abs(slope[:-1]) + np.max(np.abs(slope)) * 1e-3)
    falls = np.diff(slope) < -scale
    if curvature is not None:
        bend = curvature[finite]
        falls |= bend[:-1] < -1e-9 * (1 + np.max(np.abs(bend)))
    if falls.any():
        i = int(np.flatnonzero(falls)[0])
        raise not_convex(name, f"its slope falls from {slope[i]:.6g} to {slope[i + 1]:.6g} between {t[i]:.6g} and {t[i + 1]:.6g}")


def check_least_at_zero(loss: Loss) -> None:
    """Refuse lam = 0 for a loss of the residual whose least value is elsewhere, or on an interval: what lam -> 0+ gives is not known."""
    below, above = loss.slope_at(np.array([-1e-9, 1e-9]))
    if not below < 0 < above:
        raise ArgumentError(f"Argument `lam` must be positive for the loss {loss.name}: its least value is not at y = z alone.")


def not_convex(name: str, where: str) -> ArgumentError:
    """The error that names a loss and a place."""
    return ArgumentError(
        f"Argument `loss` must be convex, but {name!r} is not: {where}. The saddle point of a loss with several minima needs a proof that "
        "it is stable (or replica symmetry breaking), which is not implemented."
    )
