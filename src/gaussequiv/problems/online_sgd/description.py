r"""`OnlineSGD`: a two-layer student learns from a stream of fresh samples of a generative model, along time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gaussequiv._memory import FLOAT, require_memory
from gaussequiv.curve import Curve, Observable
from gaussequiv.errors import ArgumentError, FloatArray, array, choice, fail, integer, number
from gaussequiv.ingredients.activations.jumps import jump_of
from gaussequiv.ingredients.generators.base import Generator
from gaussequiv.ingredients.generators.random_layers import RandomGenerator
from gaussequiv.numerics.flow import flow
from gaussequiv.numerics.status import Status
from gaussequiv.problems.base import Axis, Key, Solvable
from gaussequiv.problems.generators import generator_of
from gaussequiv.problems.online_sgd import dynamics
from gaussequiv.problems.online_sgd.allowance import training_allowances
from gaussequiv.problems.online_sgd.expectations import has_kinks, how
from gaussequiv.problems.online_sgd.instance import Instance, cosines, instance_of, specialisation
from gaussequiv.problems.online_sgd.modes import bins_of, gathered
from gaussequiv.problems.online_sgd.plateaus import Plateau, plateaus, time_to
from gaussequiv.problems.online_sgd.stationary import stationary_points
from gaussequiv.problems.online_sgd.swept import with_field
from gaussequiv.problems.online_sgd.training import Source, measured_errors, train
from gaussequiv.problems.online_sgd.two_layer import TwoLayer, two_layer
from gaussequiv.store.halfway import Halfway

if TYPE_CHECKING:
    import xarray as xr

DIMENSION = 1000  # N where nothing fixes it
AXIS = Axis("time", "steps of SGD per input dimension, t = steps/N", size="N", size_label="dimension of the inputs")
DATA, LABELS, SEEN = ("generator", "twin"), ("real", "sign"), ("latents", "inputs")
WORDS = {
    "test_error": Observable("error on labels with noise", "output units^2"),
    "clean_error": Observable("error on noiseless labels", "output units^2"),
    "classification_error": Observable("P(the sign of the output is not the label)"),
    "Q": Observable("covariance of the student's fields"),
    "R": Observable("covariance of the student's and the teacher's fields"),
    "readout": Observable("second layer of the student"),
    "cosine": Observable("correlation of the student's and the teacher's fields, R/sqrt(Q T)"),
    "specialisation": Observable("largest |cosine| of a student's unit less the second largest, mean over units"),
    "T": Observable("covariance of the teacher's fields", averaged=False, solved=False),
}
WORDS |= {
    "Q_by_mode": Observable("what an eigenvalue of the inputs' covariance adds to Q"),
    "R_by_mode": Observable("what an eigenvalue of the inputs' covariance adds to R"),
    "mode": Observable("eigenvalue of the inputs' covariance"),
    "binning_error": Observable("largest error of the clean error along the curve, of binned modes, estimated", "output units^2"),
}
PAIRS: dict[str, tuple[str, ...]] = {"Q_by_mode": ("mode", "unit", "other_unit"), "R_by_mode": ("mode", "unit", "teacher_unit")}
PAIRS |= {"Q": ("unit", "other_unit"), "R": ("unit", "teacher_unit"), "cosine": ("unit", "teacher_unit"), "readout": ("unit",)}
BY_MODE = ("Q_by_mode", "R_by_mode")
LEAST_BINS = 32
RUNAWAY = 1e100  # an error or an overlap beyond it is one of weights that have run away
MOST_STEPS = 1e15  # whole numbers that floats count
TIME_MEANING = "time is steps/N, N the dimension of the inputs."


@dataclass(frozen=True, eq=False)
class OnlineSGD(Solvable):
    r"""A student of K units learns from one sample (or mini-batch) a step, never seen again; labels come from a teacher on the latents.

        x = G(c) - E G(c),   y = sum_m A_m g(B_m.c/sqrt(D)) + noise,   phi(x) = sum_k v_k g(w_k.x/sqrt(N)),   loss (phi - y)^2/2
        w_k <- w_k - (rate/sqrt(N)) v_k (phi - y) g'(lambda_k) x,      v_k <- v_k - (readout_rate/N) (phi - y) g(lambda_k)

    Theory: as N grows, fields of student and teacher are jointly Gaussian (the Gaussian equivalence), so that Q, R and the readout obey
    closed equations in t = steps/N (`dynamics.py`) that know of the generator only Omega = Cov(x), Phi = Cov(x, c). Where they, or SGD, run
    away in a finite time (polynomial activations), points from there on have the status `diverged` and no number.

    Parameters
    ----------
    student, teacher : TwoLayer
        The student's readout and `weight_std` are where it starts; the teacher sees the latents.
    generator : Generator
        ``RandomGenerator(("sign",), latent_ratio=0.5)``, a `FunctionGenerator`; ``RandomGenerator(())``, the default, is x = c.
    rate, readout_rate : float, not negative
        Of the first and of the second layer; a readout_rate of 0 trains the first layer alone.
    labels : "real" or "sign"
        y = f + noise, f the teacher's output, or y = sign(f + noise), whose student is smooth and learns them by the same square loss.
    noise : float
        Variance of the labels' noise, before the sign.
    teacher_sees : "latents" or "inputs"
        nu_m = B_m.c/sqrt(D), or B_m.x/sqrt(N).
    weight_decay : float, not negative
        kappa: each layer also moves by -(its rate) kappa (its weights)/N in a step.
    batch : int
        Samples of one step.
    data : "generator", "twin", or both
        What the trials learn from: samples of the generator, or Gaussian ones of the same Omega and Phi. With several, results have a
        dim `data`.
    dimension : int, optional
        N where none is given to the verb: theory, too, is that of an instance. Default: that of the generator, if it fixes one, or 1000.
    instance : int
        Seed of what all trials share with the theory: generator, teacher and the student's start. Trials differ in their samples.

    Observables along `time`: test_error (squared, with the labels' noise; no factor 1/2), clean_error, classification_error (sign labels),
    Q, R, readout, cosine = R/sqrt(Q T), specialisation (how much more a unit looks like one unit of the teacher than like any other);
    beside them T.

    Validity: theorem for one layer of generator, weights that are not aligned with few inputs or products of them, and a smooth student
    (Goldt et al. 2020, Theorem 1); for deeper generators a conjecture, as is the closure along training. iid inputs: Saad and Solla 1995,
    Goldt, Advani, Saxe, Krzakala, Zdeborova 2019.

    Examples
    --------
    >>> import gaussequiv as ge
    >>> problem = ge.OnlineSGD(ge.TwoLayer("erf", 2), ge.TwoLayer("erf", 2), rate=0.5, dimension=200)
    >>> curve = ge.solve(problem, time=[0.0, 1.0, 10.0])
    >>> bool(curve.test_error[2] < curve.test_error[0])
    True
    """

    swept_parts = (TwoLayer, Generator)

    student: TwoLayer = field(default_factory=TwoLayer)
    teacher: TwoLayer = field(default_factory=TwoLayer)
    generator: Generator = field(default_factory=lambda: RandomGenerator(()))
    rate: float = 0.2
    readout_rate: float = 0.2
    noise: float = 0.0
    weight_decay: float = 0.0
    batch: int = 1
    labels: str = "real"
    teacher_sees: str = "latents"
    data: Any = "generator"
    dimension: Any = None  # an int, once the problem is built
    instance: int = 0

    def __post_init__(self) -> None:
        for role, network in (("student", self.student), ("teacher", self.teacher)):
            if not isinstance(network, TwoLayer):
                raise fail(role, "a TwoLayer network", network)
            _refuse_jumps(role, network)
        if not isinstance(self.generator, Generator):
            raise fail(
                "generator",
                "a Generator: RandomGenerator('sign'), load_generator('digits-vae') or FunctionGenerator(function, latent_dim)",
                self.generator,
            )
        fixed = self.generator.dimension
        if fixed is not None and self.dimension not in (None, fixed):
            raise fail("dimension", f"{fixed}, that of the generator's outputs", self.dimension)
        object.__setattr__(self, "dimension", fixed or (DIMENSION if self.dimension is None else self.dimension))
        for name in ("rate", "readout_rate", "noise", "weight_decay"):
            object.__setattr__(self, name, number(name, getattr(self, name), nonnegative=True))
        for name, minimum in (("batch", 1), ("dimension", 2), ("instance", 0)):
            object.__setattr__(self, name, integer(name, getattr(self, name), minimum=minimum))
        _sources(self.data)
        choice("labels", self.labels, LABELS)
        choice("teacher_sees", self.teacher_sees, SEEN)
        if self.labels == "sign" and has_kinks(self.student.activation):
            raise fail(
                "student", "of a smooth activation for sign labels, whose equations take its curvature", self.student.activation.name
            )

    @property
    def axis(self) -> Axis:
        """Time, at inputs of dimension N."""
        return AXIS

    @property
    def sources(self) -> tuple[str, ...]:
        """What the trials learn from."""
        return _sources(self.data)

    def steps_at(self, points: ArrayLike | None, size: int | None) -> tuple[int, NDArray[np.int64], NDArray[np.intp]]:
        """N, the steps that differ, and where each point is among them."""
        N = self.dimension if size is None else integer("N", size, minimum=2, meaning="N is the dimension of the inputs.")
        time = array("time", [] if points is None else points, ndim=1, meaning=TIME_MEANING)
        if np.any(time < 0) or np.any(time * N > MOST_STEPS):
            raise fail("time", f"not negative, and of at most {MOST_STEPS:.0e} steps", time.tolist(), TIME_MEANING)
        steps, place = np.unique(np.rint(time * N).astype(np.int64), return_inverse=True)
        require_memory(FLOAT * float(steps.size) * self.student.units * N, "time", steps.size, "the weights at so many times")
        return N, steps, place

    def _curve(
        self, values: Mapping[str, FloatArray], time: FloatArray, instance: Instance, attributes: dict[str, Any], rho: FloatArray
    ) -> Curve:
        """Arrays (data, time, ...), and what follows from Q and R."""
        cosine = cosines(values["Q"], values["R"], instance.T)
        values = {**values, "cosine": cosine, "specialisation": specialisation(cosine)}
        several = len(self.sources) > 1
        observed: dict[str, Any] = {}
        for name, value in values.items():
            own = value if several else value[0]
            observed[name] = (PAIRS[name], own) if name in PAIRS else own
        K, M = self.student.units, self.teacher.units
        units = {"unit": K, "other_unit": K, "teacher_unit": M, "other_teacher_unit": M}
        coordinates: dict[str, Any] = {"time": time} | {name: (name, np.arange(count)) for name, count in units.items()}
        if "Q_by_mode" in values:
            coordinates["mode"] = ("mode", rho)
        if several:
            coordinates["data"] = ("data", list(self.sources))
        return Curve(
            observed,
            labels=WORDS,
            leading=("data",) if several else (),
            beside={"T": (("teacher_unit", "other_teacher_unit"), instance.T)},
            coordinates=coordinates,
            attributes=attributes,
            judged="test_error",
        )

    def theory(
        self,
        points: ArrayLike | None,
        size: int | None = None,
        *,
        tolerance: float = 1e-6,
        max_steps: int = 100_000,
        modes: int | None = None,
        by_mode: bool = False,
    ) -> Curve:
        """The equations of an instance of N = size, at times rounded to whole steps; the same for all `data`.

        modes : int, at least 32, optional
            Largest number of bins of neighbouring eigenvalues that stand for all of them, with `binning_error`, an estimate from above of
            what that does to the clean error, by half and a quarter as many bins. Default: all eigenvalues that differ.
        by_mode : bool
            Also Q_by_mode and R_by_mode, what each eigenvalue (the coordinate `mode`; the mean of a bin) adds to Q and R.
        """
        N, steps, place = self.steps_at(points, size)
        instance = instance_of(self, N)
        binned = self._bins(instance, modes)
        used = instance.modes if binned is None else gathered(instance.modes, binned)
        self._memory_by_mode(by_mode, used.rho.size, steps.size)
        start, given = dynamics.posed(self, instance, used)
        rate, observables, _ = dynamics.equations(dynamics.averages_for(self), bool(by_mode))
        times = steps / N
        grid = times if times[-1] > 0 else np.append(times, 1 / N)  # a flow has to go somewhere
        options: dict[str, Any] = {"tolerance": tolerance, "max_steps": max_steps, "observables": observables, "stiff": False}
        found = flow(rate, start, grid, arguments=given, **options)
        row = _settled({name: one[:, : used.rho.size] if name in BY_MODE else one for name, one in found.values.items()}, found.status)
        if binned is not None:
            row["binning_error"] = self._binning_error(instance, row["clean_error"], used.rho.size, int(modes or 0), rate, grid, options)
        values = {name: np.stack([value[place]] * len(self.sources)) for name, value in row.items()}
        values["steps"] = np.full_like(values["status"], found.steps)
        units = self.student.units, self.teacher.units
        attributes = {
            "N": N,
            "modes": used.rho.size,
            "averages": how(self.student.activation, self.teacher.activation, units, self.labels == "sign"),
        }
        curve = self._curve(values, times[place], instance, attributes, used.rho)
        curve.allowance = training_allowances(self, times[place], N)
        return curve

    def _bins(self, instance: Instance, count: int | None) -> NDArray[np.intp] | None:
        """The bin of each eigenvalue; None where every one is its own."""
        if count is None:
            return None
        most = integer(
            "modes", count, minimum=LEAST_BINS, meaning="It is the number of bins of eigenvalues; a quarter as many help to tell the error."
        )
        own = instance.modes
        return None if own.rho.size <= most else bins_of(own.rho, own.share, most)

    def _binning_error(
        self, instance: Instance, found: FloatArray, used: int, bins: int, rate: Any, grid: FloatArray, options: dict[str, Any]
    ) -> FloatArray:
        """One number for the curve: twice the largest difference from half as many bins, or half that of these from a quarter as many.

        Errors fall as 1/bins at least; modes within a bin differ by chance, so that one difference may be small by chance.
        """
        levels, own = [found], instance.modes
        for count in (bins // 2, bins // 4):
            fewer = gathered(own, bins_of(own.rho, own.share, count))
            start, given = dynamics.posed(self, instance, fewer, least=used)
            levels.append(flow(rate, start, grid, arguments=given, **options).values["clean_error"])
        missed = np.maximum(np.abs(levels[0] - levels[1]), np.abs(levels[1] - levels[2]) / 2)
        reached = np.isfinite(found)
        return np.where(reached, 2 * np.max(missed, where=reached, initial=0.0), np.nan)

    def _memory_by_mode(self, by_mode: bool, modes: int, times: int) -> None:
        if not isinstance(by_mode, bool):
            raise fail("by_mode", "True or False", by_mode)
        if by_mode:
            K, M = self.student.units, self.teacher.units
            require_memory(2 * FLOAT * float(times) * K * (K + M) * modes, "time", times, "Q and R by mode at so many times")

    def trial(
        self,
        points: ArrayLike,
        size: int | None,
        key: Key,
        *,
        test_samples: int = 10_000,
        modes: int | None = None,
        by_mode: bool = False,
    ) -> Curve:
        """SGD from the instance's start on fresh samples, for each of the `data`; errors on `test_samples` further ones of its kind.

        `by_mode` and `modes` as in `theory`: the simulation itself has no bins but those of what it shows.
        """
        return self._trained(points, size, key, Halfway(), test_samples, modes, by_mode)

    def resumed_trial(self, points: ArrayLike, size: int | None, key: Key, halfway: Halfway, **options: Any) -> Curve:
        """`trial`, from the weights of an earlier one that was stopped on its way."""
        return self._trained(points, size, key, halfway, **options)

    def _trained(
        self,
        points: ArrayLike,
        size: int | None,
        key: Key,
        halfway: Halfway,
        test_samples: int = 10_000,
        modes: int | None = None,
        by_mode: bool = False,
    ) -> Curve:
        N, steps, place = self.steps_at(points, size)
        tested = integer("test_samples", test_samples, minimum=1)
        instance = instance_of(self, N)
        binned = self._bins(instance, modes)
        rho = instance.modes.rho if binned is None else gathered(instance.modes, binned).rho
        self._memory_by_mode(by_mode, rho.size, steps.size)
        rows: list[dict[str, FloatArray]] = []
        for kind in self.sources:
            source = Source(self, instance, kind == "twin", key)
            weights, readouts = train(self, instance, source, steps, halfway)
            with np.errstate(over="ignore", invalid="ignore"):  # weights that ran away have a status
                seen = measured_errors(self, source, weights, readouts, tested)
                seen |= dict(zip(("Q", "R"), (np.array(one) for one in zip(*map(instance.overlaps, weights), strict=True)), strict=True))
                if by_mode:
                    seen |= dict(zip(BY_MODE, instance.densities(weights, binned), strict=True))
            row = _settled(seen | {"readout": readouts}, Status.diverged)
            rows.append({name: value[place] for name, value in row.items()})
        values = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return self._curve(values, steps[place] / N, instance, {"N": N}, rho)

    def time_to(self, error: float, *, longest: float = 1e4, N: int | None = None, tolerance: float = 1e-8) -> float:
        """The first time (steps/N) at which the clean error has fallen to `error`; 0 if it starts below.

        Raises
        ------
        UnreachableError : not by time `longest`.

        Examples
        --------
        >>> import gaussequiv as ge
        >>> problem = ge.OnlineSGD(rate=0.5, dimension=200)
        >>> when = problem.time_to(0.05)
        >>> bool(abs(float(ge.solve(problem, time=[when]).clean_error[0]) - 0.05) < 1e-4)
        True
        """
        return time_to(self, error, longest, N, tolerance)

    def plateaus(self, longest: float = 1e4, N: int | None = None) -> list[Plateau]:
        """Where the clean error stands still, -d log(error)/d log(time) < 0.1 for a factor of 2 in time: (start, end, error) of each.

        `end` is the escape time, infinite where the curve still stands at time `longest`.
        """
        return plateaus(self, longest, N)

    def fixed_points(
        self, times: ArrayLike = (), *, starts: int = 16, seed: int = 0, N: int | None = None, modes: int | None = None
    ) -> xr.Dataset:
        """Fixed points of the equations and their stability: where a curve stands still, and the rate at which it leaves.

        Searched by least squares with the Jacobian from the curve at `times` (a time on a plateau finds the saddle behind it) and from
        `starts` random students, of which some may end nowhere: no list is proven to be complete. At a readout_rate of 0 the readout stays.
        Beyond 1,000 unknowns the search is for Q, R and the readout alone, which fix all modes, and the eigenvalues are Arnoldi's: a
        dozen next to the rightmost one.

        Parameters
        ----------
        times : array, not negative
        starts, seed : int
        modes : int, optional
            Bins of eigenvalues of the inputs' covariance that stand for all.

        Returns
        -------
        Dataset along `point`, by error: clean_error, Q, R, readout; growth and turning (point, rank), real and imaginary parts of the
        eigenvalues of the drift per unit of time, the fastest growing first; escape_rate, the largest real part; kind: stable, saddle, or
        marginal (the largest is zero, as for directions that change no output); found: starts that ended there. Mirror images (units
        exchanged) are one point.

        Source: Saad and Solla 1995, section IV, whose plateaus these are.

        Examples
        --------
        >>> import gaussequiv as ge
        >>> one = ge.TwoLayer("linear", 1, readout="ones")
        >>> ge.OnlineSGD(one, one, rate=0.5, readout_rate=0, dimension=50).fixed_points(starts=2).escape_rate.values.round(6).tolist()
        [-0.5]
        """
        return stationary_points(self, times, starts, seed, N, modes)

    def with_parameter(self, name: str, value: Any) -> OnlineSGD:
        """The same problem with one field replaced, for sweeps: its own ones, "student.units", "teacher.gain", "generator.latent_ratio" (or
        "latent_ratio"), and whole networks and generators."""
        return with_field(self, name, value)

    def swept_value(self, name: str, stored: Any, parts: Mapping[str, Any]) -> Any:
        """Whole networks and generators are kept by their descriptions."""
        if not isinstance(stored, Mapping):
            return super().swept_value(name, stored, parts)
        return generator_of(stored, parts) if name == "generator" else two_layer(name, stored, parts)

    def to_dict(self) -> dict[str, Any]:
        """kind and the fields."""
        own = {"student": self.student.to_dict(), "teacher": self.teacher.to_dict(), "generator": self.generator.to_dict()}
        names = ("rate", "readout_rate", "noise", "weight_decay", "batch", "labels", "teacher_sees", "dimension", "instance")
        data = self.data if isinstance(self.data, str) else list(self.sources)
        return {"kind": "online_sgd"} | own | {name: getattr(self, name) for name in names} | {"data": data}

    def citations(self) -> tuple[str, ...]:
        """The equivalence, and the equations of iid inputs."""
        return ("goldt2020", "saad1995")


def _refuse_jumps(role: str, network: TwoLayer) -> None:
    place = jump_of(network.activation)
    if place is not None:
        raise ArgumentError(
            f"Argument `{role}` must have a continuous activation, as the equations and SGD take its slope, but "
            f"{network.activation.name!r} jumps at {place:.3g}. erf and tanh with a large gain are steep and smooth."
        )


def _settled(values: Mapping[str, FloatArray], failed: Status) -> dict[str, FloatArray]:
    """Values at each time (the leading dimension), and a status: nan and `failed` where the student has run away."""
    failed = failed or Status.diverged  # a flow that went on, though to beyond all bounds
    kept = np.all([np.abs(one).reshape(len(one), -1).max(axis=1) < RUNAWAY for one in values.values()], axis=0)  # false for nan
    row = {name: np.where(kept.reshape(-1, *[1] * (one.ndim - 1)), one, np.nan) for name, one in values.items()}
    return row | {"status": np.where(kept, float(Status.converged), float(failed))}


def _sources(data: Any) -> tuple[str, ...]:
    names = (data,) if isinstance(data, str) else tuple(data) if isinstance(data, Sequence) else ()
    if not names or len(set(names)) < len(names) or not set(names) <= set(DATA):
        raise fail("data", f"one or several of {', '.join(DATA)}", data)
    return names


def from_dict(description: Mapping[str, Any], parts: Mapping[str, Any] | None = None) -> OnlineSGD:
    """The problem again; a user's activations and generators come from `parts` by their names."""
    known, given = dict(parts or {}), dict(description)
    for name in ("student", "teacher"):
        if name in given:
            given[name] = two_layer(name, given[name], known)
    if "generator" in given:
        given["generator"] = generator_of(given["generator"], known)
    try:
        return OnlineSGD(**given)
    except TypeError as error:
        raise ArgumentError(f"Argument `problem` must have the fields of online SGD, but does not: {error}.") from None
