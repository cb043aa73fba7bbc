r"""From conjugates (Vhat, qhat, mhat) to order parameters (V, q, m) of a student: the spectral half of the saddle point."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.priors import Gaussian
from gaussequiv.learners.convex.averages import M_, Q_, V_
from gaussequiv.numerics.soft_threshold import NONZERO, PRODUCT, SQUARE, soft_averages, soft_error

VHAT, QHAT, MHAT, LAM = range(4)  # what order parameters are differentiated in, the last axis of `jacobian`


class Orders(NamedTuple):
    """Order parameters, each of shape (points,), and the derivatives of (V, q, m) in (Vhat, qhat, mhat, lam), shape (points, 3, 4).

    radial = 1 - q Vhat/(m mhat) without cancellation, and its derivatives in (Vhat, qhat, mhat, lam), shape (points, 4); nan where unknown.
    """

    V: FloatArray
    q: FloatArray
    m: FloatArray
    rest: FloatArray
    misfit: FloatArray
    jacobian: FloatArray
    radial: FloatArray
    dradial: FloatArray


class SpectralHalf(Protocol):
    """From conjugates to order parameters, for one penalty."""

    def orders(self, Vhat: FloatArray, qhat: FloatArray, mhat: FloatArray, lam: FloatArray) -> Orders:
        """Evaluate at every point."""
        ...

    def negligible(self, lam: FloatArray) -> FloatArray:
        """Vhat that is too small beside lam to make a difference."""
        ...


class QuadraticStudent:
    r"""Penalty (lam/2)|w|^2. With S_i = w_i/(lam + Vhat w_i) and signal modes v_i = t_i/w_i:

        V = mean[S] + nugget/lam,   q = mean[(qhat + mhat^2 v) S^2],   m = mhat mean[v S].

    Source: Loureiro et al. 2021, eq. (3.4), in which only v enters.
    """

    def __init__(self, e: GaussianEquivalent) -> None:
        keep = e.eigenvalues > 0
        self.w, self.mass, self.v = e.eigenvalues[keep], e.weights[keep], e.signal_modes[keep]
        self.linear = float(self.mass @ self.v)
        self.noise = e.model_noise
        self.nugget = e.nugget
        self.largest = float(self.w.max(initial=0.0))

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")  # far from the solution squares overflow or vanish
    def orders(self, Vhat: FloatArray, qhat: FloatArray, mhat: FloatArray, lam: FloatArray) -> Orders:
        """Evaluate at every point."""
        v, mass = self.v, self.mass
        S = 1 / (lam[:, None] / self.w + Vhat[:, None])
        S2 = S * S
        V, vS = S @ mass, S @ (mass * v)
        s2, vs2 = S2 @ mass, S2 @ (mass * v)
        s3, vs3 = (S2 * S) @ mass, (S2 * S) @ (mass * v)
        lam2, lam3 = S2 @ (mass / self.w), (S2 * S) @ (mass / self.w)
        vlam2, vlam3 = S2 @ (mass * v / self.w), (S2 * S) @ (mass * v / self.w)
        q, m = qhat * s2 + mhat**2 * vs2, mhat * vS
        nugget = np.divide(self.nugget, lam, out=np.zeros_like(lam), where=lam > 0) if self.nugget else np.zeros_like(lam)
        mean = vS / self.linear if self.linear > 0 else np.zeros_like(vS)
        scatter = ((S - mean[:, None]) ** 2) @ (mass * v)  # of the response over modes: (mean[v S^2] linear - mean[v S]^2)/linear
        rest = self.noise + (self.linear * qhat * s2 + mhat**2 * self.linear * scatter) / q
        misfit = self.noise + qhat * s2 + ((1 - mhat[:, None] * S) ** 2) @ (mass * v)
        jacobian = np.zeros((Vhat.size, 3, 4))
        jacobian[:, V_, VHAT], jacobian[:, V_, LAM] = -s2, -lam2 - (nugget / lam if self.nugget else 0.0)
        jacobian[:, Q_, VHAT] = -2 * (qhat * s3 + mhat**2 * vs3)
        jacobian[:, Q_, QHAT], jacobian[:, Q_, MHAT] = s2, 2 * mhat * vs2
        jacobian[:, Q_, LAM] = -2 * (qhat * lam3 + mhat**2 * vlam3)
        jacobian[:, M_, VHAT], jacobian[:, M_, MHAT], jacobian[:, M_, LAM] = -mhat * vs2, vS, -mhat * vlam2
        radial, dradial = np.full_like(q, np.nan), np.full((q.size, 4), np.nan)
        signal = mhat != 0
        if self.linear > 0 and signal.any():
            noise = np.divide(qhat, mhat**2, out=np.zeros_like(q), where=signal)
            radial = np.where(signal, (lam * vlam2 - Vhat * noise * s2) / vS, np.nan)
            dradial[:, VHAT] = (-2 * lam * vlam3 - noise * s2 + 2 * Vhat * noise * s3 + radial * vs2) / vS
            dradial[:, QHAT] = -np.divide(Vhat * s2, mhat**2, out=np.zeros_like(q), where=signal) / vS
            dradial[:, MHAT] = 2 * np.divide(Vhat * noise * s2, mhat, out=np.zeros_like(q), where=signal) / vS
            vlam3_2 = (S2 * S) @ (mass * v / self.w**2)
            dradial[:, LAM] = (vlam2 - 2 * lam * vlam3_2 + 2 * Vhat * noise * lam3 + radial * vlam2) / vS
        return Orders(V + nugget, q, m, rest, misfit, jacobian, radial, dradial)

    def negligible(self, lam: FloatArray) -> FloatArray:
        """Vhat that is too small beside lam to make a difference."""
        return 1e-18 * lam / self.largest


class SeparableStudent:
    r"""A separable penalty on isotropic inputs of eigenvalue w and weights x ~ P0 (Gaussian for deep networks): every coordinate solves

        argmin_X lam r(X) + Vhat w X^2/2 - h X,   h = mhat w x + sqrt(qhat w) z,

    V = w E dX/dh, q = w E X^2, m = w E x X, the misfit w E (x - X)^2. Averages over the law of x are closed (`soft_threshold`), and so
    are their derivatives.
    Source: Thrampoulidis, Abbasi, Hassibi 2018 (convex Gaussian min-max theorem); Bayati and Montanari 2012 for the lasso.
    """

    def __init__(self, e: GaussianEquivalent, penalty: Any) -> None:
        self.w, self.noise, self.penalty = float(e.eigenvalues[0]), e.model_noise, penalty
        self.variance = float(e.alignment[0]) / self.w**2  # of the target's weights
        self.prior = Gaussian() if e.prior is None else e.prior
        self.unit = float(np.sqrt(self.variance / self.prior.second_moment))  # weights over draws of the prior

    def largest(self, qhat: FloatArray, mhat: FloatArray) -> FloatArray:
        """Standard deviation of h."""
        deviation: FloatArray = np.sqrt(qhat * self.w + mhat**2 * self.w**2 * self.variance)
        return deviation

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")  # trial steps may go far
    def orders(self, Vhat: FloatArray, qhat: FloatArray, mhat: FloatArray, lam: FloatArray) -> Orders:
        """Evaluate at every point."""
        w, l1, l2 = self.w, float(self.penalty.l1), float(self.penalty.l2)
        gain = w * self.unit  # of h in mhat, for a draw of the prior
        a, v, t, scale = mhat * gain, qhat * w, lam * l1, Vhat * w + lam * l2
        place, width = (np.minimum(part / np.maximum(np.abs(a), 1e-300), 1e100) for part in (t, np.sqrt(v)))
        law = self.prior.mixture(np.stack([-place, place], axis=1), width)
        s = soft_averages(law, a, v, t)
        V, q, m = w * s.nonzero / scale, w * s.square / scale**2, gain * s.product / scale
        jacobian = np.zeros((Vhat.size, 3, 4))
        for row, average, value, inner, power in (
            (V_, NONZERO, V, w / scale, 1),
            (Q_, SQUARE, q, w / scale**2, 2),
            (M_, PRODUCT, m, gain / scale, 1),
        ):
            by_pull, by_variance, by_threshold = inner * s.jacobian[:, average].T
            jacobian[:, row, VHAT] = -power * value * w / scale
            jacobian[:, row, QHAT], jacobian[:, row, MHAT] = by_variance * w, by_pull * gain
            jacobian[:, row, LAM] = by_threshold * l1 - power * value * l2 / scale
        error = w * soft_error(law, a, v, t, scale, self.unit)
        rest = self.noise + np.maximum(error - np.divide((q - m) ** 2, q, out=np.zeros_like(q), where=q > 0), 0.0)
        unknown = np.full_like(q, np.nan)
        return Orders(V, q, m, rest, self.noise + error, jacobian, unknown, np.full((q.size, 4), np.nan))

    def negligible(self, lam: FloatArray) -> FloatArray:
        """Vhat that is too small beside lam to make a difference."""
        return 1e-18 * lam * float(self.penalty.l2) / self.w
