"""What is measured of the fields of one student: their laws, and how they go with the teacher's and with each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from gaussequiv.curve import Observable
from gaussequiv.errors import FloatArray
from gaussequiv.numerics import gaussianity

ORDERS = (2, 3)
NORMAL = np.linspace(-3.5, 3.5, 57)  # beyond, 50000 samples have a dozen
WORDS = {
    "ks": Observable("Kolmogorov-Smirnov distance of a standardised field to the normal law"),
    "ks_noise": Observable("mean of that distance for as many Gaussian samples"),
    "ks_noise_spread": Observable("its deviation for as many Gaussian samples"),
    "skewness": Observable("skewness of the student's field"),
    "excess_kurtosis": Observable("excess kurtosis of the student's field"),
    "correlation": Observable("correlation of the student's and the teacher's field"),
    "mixed_cumulant": Observable("E l^2 n^2 - 1 - 2 corr^2 of the student's field l and the teacher's n"),
    "student_cumulant": Observable("E l^2 m^2 - 1 - 2 corr^2 of two fields l, m of the student"),
    "nonlinear_correlation": Observable("correlation of the student's field with He_j of the teacher's"),
    "effect": Observable("change of the error of a unit that imitates the teacher's", "power of an output"),
    "quantile": Observable("quantile of the standardised field"),
    "normal": Observable("quantile of the normal law"),
}


def field_statistics(fields: FloatArray, nu: FloatArray) -> dict[str, tuple[tuple[str, ...], FloatArray]]:
    """Dims and values by name, from standardised fields (samples, K) and the teacher's (samples, M)."""
    a, b = list(fields.T.copy()), list(nu.T.copy())
    pairs = ("unit", "teacher_unit")
    cumulants = [[gaussianity.mixed_cumulant(x, y) if i <= j else None for j, y in enumerate(a)] for i, x in enumerate(a)]
    estimates: dict[str, tuple[tuple[str, ...], Any]] = {
        "skewness": (("unit",), [gaussianity.skewness(x) for x in a]),
        "excess_kurtosis": (("unit",), [gaussianity.excess_kurtosis(x) for x in a]),
        "mixed_cumulant": (pairs, [[gaussianity.mixed_cumulant(x, y) for y in b] for x in a]),
        "student_cumulant": (("unit", "other_unit"), [[cumulants[min(i, j)][max(i, j)] for j in range(len(a))] for i in range(len(a))]),
        "nonlinear_correlation": (
            (*pairs, "order"),
            [[[gaussianity.nonlinear_correlation(x, y, order) for order in ORDERS] for y in b] for x in a],
        ),
        "effect": (pairs, [[gaussianity.unit_effect(x, y) for y in b] for x in a]),
    }
    found: dict[str, tuple[tuple[str, ...], FloatArray]] = {
        "ks": (("unit",), np.array([gaussianity.ks_distance(x) for x in a])),
        "correlation": (pairs, fields.T @ nu / len(nu)),
        "quantile": (("unit", "normal"), np.quantile(fields, special.ndtr(NORMAL), axis=0).T),
    }
    for name, (dims, values) in estimates.items():
        numbers = np.array(values, dtype=np.float64)
        found |= {name: (dims, numbers[..., 0]), f"{name}_stderr": (dims, numbers[..., 1])}
    return found
