r"""Whether fields are Gaussian, as far as it matters: what stands out of the sampling noise, and how large it is.

Largest effects: 5% of an output's power in the error of a unit, as for allowances of curves (`verdict.py`). A symmetric law with excess
kurtosis k, the leading deviation of a sum of many weakly dependent terms, changes that error by 3 k E[g^2 He_4]/24 = -0.077 k and is
max|phi He_3| |k|/24 = 0.023 |k| away from the normal one: 5% is a Kolmogorov-Smirnov distance of 0.015. A correlation h of a field with
He_2(nu) is unseen by odd units; a ReLU unit's error (E g^2 = 1/2) moves by 2 a_1 a_2 h = 0.28 h, a_j = E g He_j/sqrt(j!): 5% is h = 0.09.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.run.verdict import LARGEST_ALLOWANCE, Verdict

ROUNDING = 1e-10  # of standardised numbers, whose standard errors vanish where two fields are one
STANDS_OUT = 5.0  # standard errors: about 1e-4 for the skewed law of the KS distance, 1e-6 for the others
LARGEST_EFFECT = LARGEST_ALLOWANCE
LARGEST_KS = 0.015
LARGEST_NONLINEAR = 0.1
ORDER = ("Gaussian", "small deviations", "not Gaussian")
NAMED = {
    "skewness": "skewness",
    "excess_kurtosis": "excess kurtosis",
    "mixed_cumulant": "mixed cumulant",
    "student_cumulant": "mixed cumulant of students",
    "nonlinear_correlation": "nonlinear correlation",
    "effect": "effect on errors",
}


def judge_fields(values: Mapping[str, FloatArray], noise: tuple[float, float]) -> Verdict:
    """One verdict for all units: from `ks`, and numbers with their `_stderr`; `noise` is mean and spread of the distance without cause.

    Gaussian: nothing lies 5 standard errors beyond the noise. not Gaussian: the effect on a unit's error, the distance or a nonlinear
    correlation lies above its limit, by more than that noise. small deviations: otherwise.
    """
    floor, spread = noise
    pairs = values["student_cumulant"]
    values = {**values, "student_cumulant": np.where(np.eye(len(pairs)) > 0, 0.0, pairs)}  # the diagonal is the excess kurtosis
    ks = float(values["ks"].max())
    reached = f"KS {ks:.4f} (noise {floor:.4f} +- {spread:.4f})"
    effect, error = _worst(values, "effect")
    known = f"effect on a unit's error {effect:+.1%} +- {error:.1%}"
    limits = {"effect": LARGEST_EFFECT, "nonlinear_correlation": LARGEST_NONLINEAR}
    beyond = [name for name, limit in limits.items() if np.any(_least(values, name) > limit)]
    if ks - floor - STANDS_OUT * spread > LARGEST_KS or beyond:
        return Verdict("not Gaussian", ", ".join([reached, known, *_listed(values, [name for name in beyond if name != "effect"])]))
    out = [name for name in NAMED if np.any(_least(values, name) > 0)]
    if not out and ks <= floor + STANDS_OUT * spread:
        return Verdict("Gaussian", f"within sampling noise: {reached}, {known}")
    return Verdict("small deviations", ", ".join([reached, known, *_listed(values, [name for name in out if name != "effect"])]))


def worst_of(verdicts: Sequence[Verdict]) -> Verdict:
    """The first of the worst."""
    return max(verdicts, key=lambda one: ORDER.index(one.verdict))


def _least(values: Mapping[str, FloatArray], name: str) -> FloatArray:
    """What is left of its size when 5 standard errors are taken off."""
    return np.asarray(np.abs(values[name]) - STANDS_OUT * values[f"{name}_stderr"] - ROUNDING)


def _worst(values: Mapping[str, FloatArray], name: str) -> tuple[float, float]:
    """The largest entry, with its standard error."""
    size = values[name].ravel()
    i = int(np.argmax(np.abs(size)))
    return float(size[i]), float(values[f"{name}_stderr"].ravel()[i])


def _listed(values: Mapping[str, FloatArray], names: list[str]) -> list[str]:
    return ["{} {:+.3f} +- {:.3f}".format(NAMED[name], *_worst(values, name)) for name in names]
