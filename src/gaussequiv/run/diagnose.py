r"""`diagnose`: whether the Gaussian equivalence holds for a generator and the weights of a student."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gaussequiv.curve import Observable
from gaussequiv.equivalence.diagnostics import sampled_fields
from gaussequiv.errors import ArgumentError, FloatArray, array, choice, fail, integer
from gaussequiv.ingredients.generators.base import DrawnGenerator, Generator
from gaussequiv.ingredients.inputs.generated import SEEN
from gaussequiv.numerics.gaussianity import excess_kurtosis, ks_distance, ks_noise, standardised
from gaussequiv.numerics.keys import GENERATOR, TEACHER
from gaussequiv.problems.online_sgd.description import AXIS, OnlineSGD
from gaussequiv.problems.online_sgd.instance import instance_of
from gaussequiv.results import dataset
from gaussequiv.run.field_statistics import NORMAL, ORDERS, WORDS, field_statistics
from gaussequiv.run.gaussian_verdict import LARGEST_KS, judge_fields, worst_of
from gaussequiv.run.provenance import provenance
from gaussequiv.run.student_weights import trained_weights, weights_of

if TYPE_CHECKING:
    import xarray as xr

LEAST_SAMPLES = 10_000  # from 8400 on, 5 deviations of the noise of the KS distance lie below the largest one that is not called large
UNITS = 2  # of students and teachers that nobody gives
CITATION = "goldt2020"
OWN_WORDS = {
    "time": Observable(AXIS.label, AXIS.unit),
    "weights": Observable("weights of the student"),
    "teacher_ks": Observable("Kolmogorov-Smirnov distance of the teacher's field to the normal law"),
    "teacher_kurtosis": Observable("excess kurtosis of the teacher's field"),
    "reliability": Observable("cosine between two estimates of the direction of the weights"),
    "verdict": Observable("whether the fields are Gaussian"),
    "reason": Observable("what the verdict rests on"),
}


def diagnose(
    source: Generator | OnlineSGD,
    time: ArrayLike | None = None,
    *,
    weights: Any = None,
    teacher: ArrayLike | None = None,
    teacher_sees: str | None = None,
    N: int | None = None,
    units: int | None = None,
    samples: int = 50_000,
    seed: int = 0,
) -> xr.Dataset:
    r"""Measure on fresh samples whether the fields of a student and of the teacher are jointly Gaussian.

        lambda_k = w_k.x/sqrt(N), x = G(c),    nu_m = B_m.c/sqrt(D) or B_m.x/sqrt(N),    c ~ N(0, I_D), both standardised

    Parameters
    ----------
    source : Generator, or OnlineSGD
        Of a problem it takes the instance: generator, teacher, and the student along training.
    time : array, for a problem only
        Diagnose the student of trial 0 after SGD on the generator to these times (steps/N), which depends on the samples that it has seen;
        default: where it starts.
    weights : array (K, N) or (records, K, N), or one or several names
        ``"random"`` (default): Gaussian. ``"coordinate"``: every unit sees one output alone. ``"hermite2"``, ``"hermite3"``: along
        E[x He_j(nu)], nu the teacher's fields, estimated from as many samples of their own; there SGD pulls the weights.
    teacher : array (M, D), or (M, N) if it sees the inputs
        B; default: that of the problem, or 2 Gaussian rows.
    teacher_sees : "latents" or "inputs"
        What the teacher's fields are of; default: as the problem says, or latents. Fields of inputs need not be Gaussian either: their own
        laws are measured, and count in the verdict.
    N : int
        Where the generator does not fix it.
    units : int
        K of named weights; default: that of the problem, or 2.
    samples : int, at least 10000
    seed : int
        Of everything drawn here. A `Generator` is drawn as by ``OnlineSGD(..., instance=seed)``.

    Returns
    -------
    Dataset with dims (time or weights, unit, ...), standard errors beside:
    ks : distance of each field to the normal law; `ks_noise`, `ks_noise_spread`: mean and deviation for Gaussian samples.
    skewness, excess_kurtosis : of each field.
    mixed_cumulant : dims (unit, teacher_unit), E l^2 n^2 - 1 - 2 corr^2; student_cumulant : (unit, other_unit), whose diagonal is the
        excess kurtosis; nonlinear_correlation : (unit, teacher_unit, order), E l He_j(n)/sqrt(j!). All are 0 for Gaussian fields.
    effect : dims (unit, teacher_unit): what the law of the pair adds to E [g(l) - g(n)]^2, g = erf(./sqrt(2)), over E g^2 = 1/3.
    teacher_ks, teacher_kurtosis : dims (teacher_unit), of a teacher that sees the inputs; of latents its fields are Gaussian.
    correlation : dims (unit, teacher_unit). quantile : dims (unit, normal), beside those of the normal law.
    reliability : of "hermite" directions; near 0 none was found, and they are like random ones.
    verdict, reason : of each record.
    Attributes verdict and reason: the worst, "Gaussian", "small deviations" or "not Gaussian" (`run/gaussian_verdict.py`).

    Raises
    ------
    ArgumentError : an argument is out of range, weights of another shape, a field that does not vary, weights that ran away in training.

    Validity: a sampling test. It sees low cumulants and one-dimensional laws; "Gaussian" says that nothing larger than the noise was found.

    Source: Goldt, Loureiro, Reeves, Krzakala, Mezard, Zdeborova 2020, Theorem 1 (one layer, weights independent of the samples).

    Examples
    --------
    >>> import gaussequiv as ge
    >>> found = ge.diagnose(ge.RandomGenerator("sign"), weights=["random", "coordinate"], N=400, samples=10_000)
    >>> found.verdict.values.tolist()
    ['Gaussian', 'not Gaussian']
    """
    samples = integer("samples", samples, minimum=LEAST_SAMPLES, meaning="Fewer cannot tell what matters from noise.")
    seed = integer("seed", seed, minimum=0)
    problem = source if isinstance(source, OnlineSGD) else None
    if teacher_sees is not None:
        choice("teacher_sees", teacher_sees, SEEN)
    if problem is not None:
        if teacher_sees not in (None, problem.teacher_sees):
            raise fail("teacher_sees", f"left out, or {problem.teacher_sees!r}, as the problem says", teacher_sees)
        instance = instance_of(problem, problem.steps_at([0.0], N)[0])
        generator, B, direct = instance.generator, instance.B, instance.direct
    elif isinstance(source, Generator):
        direct = teacher_sees == "inputs"
        generator, B = _drawn(source, N, seed, direct)
    else:
        raise fail("source", "a Generator or an OnlineSGD problem", source)
    B = B if teacher is None else _teacher(teacher, generator, direct)
    units = integer("units", (UNITS if problem is None else problem.student.units) if units is None else units, minimum=1)
    variables: dict[str, tuple[tuple[str, ...], Any]] = {}
    names: Any
    if time is not None and (problem is None or weights is not None):
        raise fail("time", "left out, as no student is trained where weights or a generator alone are diagnosed", time)
    if problem is not None and weights is None:
        dim = "time"
        names, w = trained_weights(problem, time, N, seed)
    else:
        dim = "weights"
        names, w, reliability = weights_of("random" if weights is None else weights, generator, B, units, samples, seed, direct)
        if np.isfinite(reliability).any():
            variables["reliability"] = ((dim, "unit"), reliability)
    fields, of_teacher = sampled_fields(generator, w, B, samples, seed, direct)
    noise, nu = ks_noise(samples), standardised(of_teacher)
    records = [field_statistics(standardised(fields[:, i]), nu) for i in range(len(w))]
    own = _own_law(nu) if direct else {}
    verdicts = [judge_fields(_judged(one, own), noise) for one in records]
    variables |= {name: ((dim, *dims), np.stack([one[name][1] for one in records])) for name, (dims, _) in records[0].items()}
    variables |= {name: (("teacher_unit",), values) for name, values in own.items()}
    variables |= {"ks_noise": ((), noise[0]), "ks_noise_spread": ((), noise[1])}
    variables |= {"verdict": ((dim,), [one.verdict for one in verdicts]), "reason": ((dim,), [one.reason for one in verdicts])}
    coordinates: dict[str, Any] = {dim: names, "order": list(ORDERS), "normal": NORMAL}
    coordinates |= {"unit": np.arange(w.shape[1]), "other_unit": np.arange(w.shape[1]), "teacher_unit": np.arange(len(B))}
    facts = worst_of(verdicts)._asdict() | {"largest_ks": LARGEST_KS, "seed": seed, "samples": samples}
    facts |= {"N": generator.dimension, "D": generator.latent_dim, "teacher_sees": SEEN[direct]}
    return dataset(variables, coordinates, _record(source, dim == "time" and teacher is None, N, samples, seed) | facts, WORDS | OWN_WORDS)


def _record(source: Generator | OnlineSGD, whole: bool, N: int | None, samples: int, seed: int) -> dict[str, Any]:
    """Where the result comes from; a call that makes it again only where nothing but the problem and the times was given."""
    if not isinstance(source, OnlineSGD):
        return {"generator": json.dumps(source.to_dict()), "citations": CITATION}
    record = provenance(source, "diagnose", {"N": N, "samples": samples, "seed": seed}, (CITATION,))
    return record if whole else {name: value for name, value in record.items() if name != "call"}


def _own_law(nu: FloatArray) -> dict[str, FloatArray]:
    """How far the fields of a teacher of inputs are from Gaussian ones."""
    kurtosis = np.array([excess_kurtosis(one) for one in nu.T.copy()])
    return {"teacher_ks": np.array([ks_distance(one) for one in nu.T.copy()])} | {
        name: kurtosis[:, i] for i, name in enumerate(("teacher_kurtosis", "teacher_kurtosis_stderr"))
    }


def _judged(record: dict[str, tuple[tuple[str, ...], FloatArray]], own: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """The numbers of a record, the laws of the teacher's own fields beside those of the student's."""
    values = {name: value for name, (_, value) in record.items()}
    beside = {"ks": "teacher_ks", "excess_kurtosis": "teacher_kurtosis", "excess_kurtosis_stderr": "teacher_kurtosis_stderr"}
    return values | ({name: np.concatenate([values[name], own[other]]) for name, other in beside.items()} if own else {})


def _drawn(law: Generator, N: int | None, seed: int, direct: bool) -> tuple[DrawnGenerator, FloatArray]:
    size = law.dimension if N is None else integer("N", N, minimum=1, meaning="N is the dimension of the inputs.")
    if size is None:
        raise ArgumentError("Argument `N` must be given, as the generator does not fix the dimension of the inputs, but N=None.")
    generator = law.draw(size, np.random.default_rng((seed, size, GENERATOR)))
    seen = generator.dimension if direct else generator.latent_dim
    return generator, np.random.default_rng((seed, size, TEACHER)).standard_normal((UNITS, seen))


def _teacher(teacher: ArrayLike, generator: DrawnGenerator, direct: bool) -> FloatArray:
    B = array("teacher", teacher, ndim=2)
    size, name = (generator.dimension, "N") if direct else (generator.latent_dim, "D")
    if B.shape[1] != size or not np.all(np.any(B != 0, axis=1)):
        raise fail("teacher", f"an array (M, {name} = {size}) without rows of zeros", B)
    return B
