"""What a user has to know about the points of a predicted curve, in sentences."""

from __future__ import annotations

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.status import Status

LOOSE = 0.1  # a standard error above this fraction of the prediction is worth a warning
FAR = 1.5  # times the rows: the last size at which predictions were measured against refits
BLIND = 2.0  # times the rows: beyond, nothing is claimed
NARROW = 0.25  # 1 - df2/n below this, and 1/(n (1 - df2/n)) above LOOSE: the fit is about to interpolate its rows
RARE = 0.02  # of the degrees of freedom, held by rows that are fitted by themselves
UNEQUAL = 100.0  # ratio of the columns' scales from which a failure is likely theirs

WORDS = {
    Status.converged: "known",
    Status.max_steps: "the iteration did not settle",
    Status.diverged: "infinite, or the iteration diverged",
    Status.nonfinite: "not identified by these rows",
    Status.interrupted: "interrupted",
    Status.single_class: "without a second class in the training set",
}


def caveats(sizes: FloatArray, points: dict[str, FloatArray], rows: FloatArray, groups: int) -> list[str]:
    """Sentences on points that are unknown, without a standard error, loose, or far beyond the rows; empty if there are none.

    `points` holds test_error, test_error_stderr, status and, for square losses, room and alone with sizes along the last axis; `rows` is
    the matrix that the student sees.
    """
    total, status = len(rows), points["status"]
    known = status == Status.converged
    error, deviation = points["test_error"], points["test_error_stderr"]
    said = []
    if not known.all():
        counts = {one: int(np.sum(status == one)) for one in Status if one != Status.converged}
        why = "; ".join(f"{count} {WORDS[one]}, status {one.name}" for one, count in counts.items() if count)
        hint = unequal_columns(rows)
        said.append(
            f"{int(np.sum(~known))} of {status.size} points are not known from these {total} rows ({why}): more rows, smaller train_sizes "
            f"or a larger penalty are needed.{' ' + hint if hint else ''}"
        )
    bare = known & np.isnan(deviation)
    if groups and bare.any():
        said.append(
            f"{int(bare.sum())} of {bare.size} points have no standard error: without one of the {groups} groups of rows the prediction "
            "does not settle, so that it hangs on a few rows."
        )
    loose = known & ~bare & (deviation > LOOSE * error)
    if loose.any():
        said.append(
            f"n_total = {total} rows are few for this: the standard error exceeds {LOOSE:.0%} of the prediction at "
            f"{int(loose.sum())} of {loose.size} points."
        )
    if "room" in points:
        room = points["room"]
        narrow = known & (room < NARROW) & (LOOSE * sizes * room < 1)
        if narrow.any():
            said.append(
                f"{int(narrow.sum())} of {narrow.size} points lie where a fit is about to interpolate its rows: it differs much between "
                "training sets of one size, and its mean error may differ from the prediction by a tenth or more, at the peak by a factor."
            )
    if "alone" in points:
        rare = known & (points["alone"] > RARE)
        if rare.any():
            said.append(
                f"{int(rare.sum())} of {rare.size} points hang on columns that vary on few rows and that the penalty hardly rules: whether "
                "a training set has such rows is a matter of luck, and predictions were 5 to 35% too high, at an interpolation peak "
                "by a factor. A larger penalty or fewer such columns help."
            )
    if np.any(known & (error == 0)):
        said.append(
            f"{int(np.sum(known & (error == 0)))} of {error.size} points are exactly 0: none of the {total} rows is predicted wrongly, "
            f"so that the error is only known to be below about 3/N = {3 / total:.2g}."
        )
    reached = sizes[np.any(known.reshape(-1, len(sizes)), axis=0)]
    ratio = float(reached.max()) / total if reached.size else 0.0
    if ratio > FAR:
        beyond = int(np.sum(reached > FAR * total))
        verdict = "extrapolation, not a prediction" if ratio > BLIND else f"measured against refits only up to {FAR:g} times"
        said.append(
            f"{beyond} of the train_sizes {'lies' if beyond == 1 else 'lie'} beyond {FAR:g} times the {total} rows given, up to "
            f"{int(reached.max())} = {ratio:.3g} times: {verdict}."
        )
    return said


def unequal_columns(rows: FloatArray) -> str:
    """A suggestion to standardise where the columns' scales differ much, else nothing."""
    scale = np.sqrt(np.mean(rows**2, axis=0))
    scale = scale[scale > 0]
    if not scale.size or scale.max() < UNEQUAL * scale.min():
        return ""
    return (
        f"The columns' scales differ by a factor of {scale.max() / scale.min():.0e}: standardise them "
        "(StandardScaler in a pipeline, --standardise in the shell)."
    )
