r"""Averages that drive online SGD on labels y = sign(f(nu) + sqrt(noise) xi), f = sum_m A_m g(nu_m): labels that jump.

With ybar = E[y | nu] = erf(f/sqrt(2 noise)) (the sign itself without noise) in place of f, all is as in `expectations.py` but the slope of
ybar, which may not exist. By parts in nu, given what is left of the student's fields lambda = R T^(-1) nu + rest,

    E g'(lambda_k) d ybar/d nu_n = E (T^(-1) nu)_n g'(lambda_k) ybar - (R T^(-1))_kn E g''(lambda_k) ybar,

which stays regular where student and teacher are aligned (T is the teacher's own). Sums over a Sobol sequence.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from gaussequiv.ingredients.activations.base import Activation
from gaussequiv.problems.online_sgd.expectations import LEAST, Averages, FieldAverages, derivatives, fields_from, nodes


@lru_cache(maxsize=32)
def sign_averages(student: Activation, teacher: Activation, gains: tuple[float, float], units: tuple[int, int]) -> Averages:
    """(C, s, noise) -> averages, traced by JAX; the student is smooth."""
    K, M = units
    scale = np.repeat(gains, units)
    g, target = student.traced(), teacher.traced()
    z, weights = nodes(K + M, False)

    def averages(C: Any, s: Any, noise: Any) -> FieldAverages:
        import jax.numpy as jnp
        from jax.scipy.special import erf

        u = fields_from(C, z)
        lam, nu = u[:, :K] * scale[:K], u[:, K:]
        field = target(nu * scale[K:]) @ -s[K:]
        sign = jnp.where(field >= 0, 1.0, -1.0)  # also of outputs that are 0, as those of relu units may be
        mean = jnp.where(noise > LEAST**2, erf(field / jnp.sqrt(2 * jnp.maximum(noise, LEAST**2))), sign)
        value, slope, bend = g(lam), derivatives(g, 1)(lam) * scale[:K], derivatives(g, 2)(lam) * scale[:K] ** 2
        output = value @ s[:K]
        delta = output - mean
        back = jnp.linalg.inv(C[K:, K:])
        towards = (weights * mean * (slope.T)) @ (nu @ back) - ((weights * mean) @ bend)[:, None] * (C[:K, K:] @ back)
        square = delta**2 + 1 - mean**2
        return FieldAverages(
            error=weights @ square,
            clean_error=weights @ (output - sign) ** 2,
            outputs=(weights * delta) @ value,
            slopes=(weights * slope.T) @ slope,
            towards=towards,
            bend=(weights * delta) @ bend,
            diffusion=(weights * square * slope.T) @ slope,
            wrong=weights @ (1 - jnp.where(output >= 0, 1.0, -1.0) * mean) / 2,
        )

    return averages
