"""What comes before the linear model: maps that are fixed, learned from rows, or fitted to labels, and what learning them costs."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from gaussequiv.errors import ArgumentError, FloatArray, fail
from gaussequiv.estimators.refits import rows_at, split_errors
from gaussequiv.numerics.status import Status

ENOUGH = 200  # rows on which a transformer is fitted twice to see whether it looks at labels
SHUFFLES = 2  # of the labels
REPEATS = 16  # pairs of refits at each size
NEGLIGIBLE = 0.03  # relative effect of learning a transformer below which predictions stand as they are
UNKNOWN = 0.1  # relative effect at the largest size that leaves rows to test on above which larger sizes are not known
HELD_OUT = 0.2  # of the rows, at least, to measure it on


class TransformerKind(enum.Enum):
    """How a transformer depends on the training rows."""

    fixed = "the same map whatever the rows, or a random one"
    learned = "fitted to the rows, without their labels"
    supervised = "fitted to the labels"


class LearnedCost(NamedTuple):
    """Of learning the transformers from n rows in place of all: the change of the mean error, its standard error, and the mean error."""

    size: int
    change: float
    stderr: float
    error: float
    doubt: float = 2.0  # standard errors that may be chance

    @property
    def relative(self) -> float:
        """The change over the error with transformers learned from all rows."""
        return self.change / self.error if self.error > 0 else np.inf * np.sign(self.change) if self.change else 0.0

    @property
    def negligible(self) -> bool:
        """Within 3%, or within `doubt` standard errors of nothing."""
        return abs(self.change) <= max(NEGLIGIBLE * self.error, self.doubt * self.stderr)


def steps_of(estimator: Any, features: Any = None) -> list[Any]:
    """Transformers before the final estimator, a feature map first; functions and fitted feature maps are wrapped: they learn nothing."""
    steps: list[Any] = []
    if features is not None:
        if not hasattr(features, "transform"):
            if not callable(features):
                raise fail("features", "a transformer or a function of the rows", features)
            features = FunctionTransformer(features)
        elif _is_fitted(features):
            features = FrozenEstimator(features)
        steps.append(features)
    if isinstance(estimator, Pipeline):
        steps += [step for _, step in estimator.steps[:-1] if step is not None and not isinstance(step, str)]
    return steps


def _is_fitted(step: Any) -> bool:
    try:
        check_is_fitted(step)
    except NotFittedError:
        return False
    return True


def whole_pipeline(estimator: Any, features: Any = None) -> Any:
    """The estimator with its transformers, the feature map among them, as scikit-learn refits it."""
    steps = steps_of(estimator, features)
    final = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    return make_pipeline(*steps, final) if steps else final


def kind_of(step: Any, rows: Any, y: Any, size: int, seed: int = 0) -> TransformerKind:
    """What a transformer looks at, by its tags, else by fitting it: to the same rows with labels shuffled, and to others of `size` rows.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.feature_selection import SelectKBest
    >>> from sklearn.preprocessing import Normalizer
    >>> X = np.random.default_rng(0).standard_normal((60, 5))
    >>> [kind_of(step, X, X[:, 0] > 0, 30).name for step in (Normalizer(), PCA(2), SelectKBest(k=2))]
    ['fixed', 'learned', 'supervised']
    """
    if isinstance(step, FrozenEstimator):
        return TransformerKind.fixed
    if any(_declared_supervised(part) for part in [step, *step.get_params().values()]):
        return TransformerKind.supervised
    if not get_tags(step).requires_fit:
        return TransformerKind.fixed
    rng = np.random.default_rng(seed)
    labels, total = np.asarray(y), len(np.asarray(y))
    probe = rows_at(rows, rng.permutation(total)[:ENOUGH])
    many = rng.permutation(total)[: max(size, ENOUGH)]
    seen = _map(step, rows_at(rows, many), labels[many], probe)
    if not all(_same(seen, _map(step, rows_at(rows, many), rng.permutation(labels[many]), probe)) for _ in range(SHUFFLES)):
        return TransformerKind.supervised
    few = [rng.permutation(total)[:size] for _ in range(2)]
    one, two = (_map(step, rows_at(rows, index), labels[index], probe) for index in few)
    return TransformerKind.fixed if _same(one, two) else TransformerKind.learned


def _declared_supervised(part: Any) -> bool:
    """Whether a transformer, or one inside it, says that it needs labels, or selects by a model's coefficients."""
    if not (isinstance(part, BaseEstimator) and hasattr(part, "transform")):
        return False
    return get_tags(part).target_tags.required or (isinstance(part, SelectorMixin) and isinstance(part, MetaEstimatorMixin))


def _map(step: Any, rows: Any, y: Any, probe: Any) -> FloatArray:
    """The probe through the transformer fitted to rows and labels, its random draws always the same."""
    made = clone(step)
    draws = {name: 0 for name, value in made.get_params().items() if name.split("__")[-1] == "random_state" and value is None}
    try:
        out = made.set_params(**draws).fit(rows, y).transform(probe)
    except ValueError as error:
        raise ArgumentError(
            f"Argument `train_sizes` must be sizes at which the pipeline can be fitted, but {type(step).__name__} could not be fitted to "
            f"{len(y)} rows: {error}"
        ) from error
    return np.asarray(out.toarray() if hasattr(out, "toarray") else out)


def _same(one: FloatArray, two: FloatArray) -> bool:
    if one.shape != two.shape:
        return False
    if one.dtype.kind not in "fiub" or two.dtype.kind not in "fiub":
        return bool(np.array_equal(one, two))
    return bool(np.allclose(one, two, rtol=1e-6, atol=1e-9 * (1 + np.nanmax(np.abs(one), initial=0.0)), equal_nan=True))


def supervised_error(step: Any) -> ArgumentError:
    """The refusal of a transformer that is fitted to the labels."""
    return ArgumentError(
        f"Argument `estimator` must not have transformers that are fitted to the labels, but {type(step).__name__} is: fitted once, it "
        "knows the labels that it is judged by. refit_curve and sklearn.model_selection.learning_curve fit the whole pipeline at each "
        "size; one that was fitted to other rows goes in as FrozenEstimator."
    )


def learned_costs(whole: Any, final: Any, X: Any, rows: FloatArray, y: Any, sizes: Any, classify: bool, seed: int) -> list[LearnedCost]:
    """From the smallest size on, until it is negligible: the cost of learning transformers from the training rows, by pairs of refits.

    Both of a pair have the same training and test rows; one is the whole pipeline, the other the final estimator on rows transformed by
    transformers that saw all rows. Sizes that leave less than a fifth of the rows to test on are not measured; if there is no other, half
    of the rows is.
    """
    total = len(rows)
    possible = sizes[sizes <= (1 - HELD_OUT) * total]
    rng = np.random.default_rng(seed)
    found = []
    for size in possible if possible.size else [total // 2]:
        orders = [rng.permutation(total) for _ in range(REPEATS)]
        splits = [(order[:size], order[size:]) for order in orders]
        apart, together = split_errors(whole, X, y, splits, classify), split_errors(final, rows, y, splits, classify)
        change = apart - together
        found.append(LearnedCost(int(size), float(change.mean()), float(change.std(ddof=1) / REPEATS**0.5), float(together.mean())))
        if found[-1].negligible:
            break
    return found


def with_costs(points: dict[str, FloatArray], sizes: Any, costs: list[LearnedCost]) -> dict[str, FloatArray]:
    """Predictions with the measured costs added; sizes beyond those that can be measured are nan if it still is more than a tenth there."""
    error, deviation, status = (points[name].copy() for name in ("test_error", "test_error_stderr", "status"))
    for cost in costs:
        if not cost.negligible:
            here = np.flatnonzero(sizes == cost.size)
            error[here], deviation[here] = error[here] + cost.change, np.hypot(deviation[here], cost.stderr)
    last = costs[-1]
    if not last.negligible and abs(last.relative) > UNKNOWN:
        lost = (sizes > max(cost.size for cost in costs)) & (status == Status.converged)
        error[lost], deviation[lost], status[lost] = np.nan, np.nan, Status.nonfinite
    return points | {"test_error": error, "test_error_stderr": deviation, "status": status}


def cost_caveat(names: list[str], costs: list[LearnedCost], sizes: Any, total: int) -> str:
    """A sentence on what learning the transformers costs; empty where that is negligible from the smallest size on."""
    if costs[0].negligible:
        return ""
    first, last = costs[0], costs[-1]
    measured = [cost for cost in costs if not cost.negligible and cost.size in sizes]
    said = (
        f"{', '.join(names)}: learned from the rows. Fits that learn them from the same n = {first.size} rows have an error "
        f"{100 * first.relative:+.0f}% ({100 * first.stderr / max(first.error, 1e-300):.0f}) off that with them learned from all {total}"
    )
    if measured:
        said += f"; {len(measured)} of {len(sizes)} points have this added, measured by {REPEATS} pairs of refits each"
    if not last.negligible and abs(last.relative) > UNKNOWN and np.any(sizes > last.size):
        said += f"; at n = {last.size} it is {100 * last.relative:+.0f}%, so that larger sizes are not known. refit_curve refits the whole"
    return said + "."
