r"""Logistic and hinge losses: N rows decomposed once, read as a training set of n of them, for many n at once and for the band."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.numerics.status import Status
from gaussequiv.realdata.decomposed import SMALLEST, DecomposedRows
from gaussequiv.realdata.emulate import EDGE, EmulatedStudent
from gaussequiv.realdata.margin_steps import MarginIteration, MarginState, fitted_moves, left_out_levels
from gaussequiv.realdata.mistakes import BANDWIDTH, mistakes
from gaussequiv.realdata.noisy_gradients import noisy_gradients_of, ramp_of

LIGHTEST = 1e-2  # weight of a row in the decomposition beside the heaviest: rows without curvature are seen, but hardly weighed
REFERENCE = 1 / 3  # of the rows: the training size whose curvatures weigh them in the decomposition
COUNTED = 1.5  # mistakes beyond the pool: one that a single row less takes away says nothing
FEWEST, PER_COLUMN = 1000, 5  # rows that tell these curvatures
FEWEST_OF_A_CLASS = 20
ROUGH = 2e-2  # tolerance there
SETTLING = 4  # steps of Newton's method for proximal points
SOLVING = 3  # steps of conjugate gradients, for a band


class MarginErrors(NamedTuple):
    """Predicted errors, standard errors and how the iteration ended, one for each size."""

    test_error: FloatArray
    test_error_stderr: FloatArray
    status: FloatArray
    steps: FloatArray
    residual: FloatArray


def margin_curves(
    x: FloatArray, y: FloatArray, weights: FloatArray, sizes: FloatArray, student: EmulatedStudent, *, band: bool = True
) -> MarginErrors:
    r"""Share of wrong signs of `student` trained on n of N rows, for several n, from one decomposition of the rows.

    The equations are those of `emulate.emulate`: with phi_i = E g, slopes E[-g'] and squares E g^2 of the proximal gradient over the noise
    of row i's left-out score omega_i, and r = n/N,

        r sum_i phi_i x_i = lam w,    omega_i = w.x_i + c - r V_i phi_i,    V_i = x_i'Q x_i,    extra_i = x_i'Q K Q x_i,
        Q^{-1} = lam + M,    M = r sum_i E[-g_i'] x_i x_i',    K = sum_i k_i x_i x_i',    k_i = r E g_i^2 - (r phi_i)^2.

    The rows are decomposed once, weighted by their curvatures a at n = N/3. A ridge fit with these weights and ridge l has leverages
    h, V_a = h/(a (1 - h)) and D_a = x'Q_a M_a Q_a x without the row itself; if M has the shape of sum_i a_i/(1 + a_i V_a,i) x_i x_i', then
    Q = rho Q_a with rho = l/lam, and

        sum_i r E[-g_i'] rho V_a,i = sum_i h_i(l),    extra_i = theta rho D_a,i,    theta = sum_i k_i D_a,i / sum_i r E[-g_i'] D_a,i:

    two numbers for each n, found together with w, all n at once.

    The standard error is that of an infinitesimal jackknife: what one row less does to the mean of the errors, through its own error, the
    scores of all others (second order in h_ij) and the noise, times the row's own error.

    Parameters
    ----------
    x : array of shape (N, d)
    y : array of shape (N,)
        Labels -1 and 1.
    weights : array of shape (N,), positive
        Weights s_i of the losses.
    sizes : array of shape (S,)
    student : EmulatedStudent
        With the logistic loss or a hinge.
    band : bool
        Whether to compute standard errors; else nan.

    Returns
    -------
    MarginErrors
        Status `max_steps` where the iteration did not settle (then `emulate`, which decomposes anew in every step, may), `nonfinite` where
        N rows do not identify n of them or have no mistake left to count beyond their own size.

    Validity: that of `emulate`, whose predictions it repeats within 1% on made data and 3% on digits and patches, raw and random features;
    where labels are separable it is lower by up to 15%, and nearer to refits. Bands: within about 10% of the spread over pools of 400 and
    1,000 rows in 20 to 60 columns; in 200 columns up to half as wide again at n = N.
    Cost: O(N d min(N, d)) twice (once for many rows), and O(N d) for each size and step, of which there are about 10. Memory O(N d).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((600, 30))
    >>> y = np.where(x[:, 0] + 0.5 * rng.standard_normal(600) > 0, 1.0, -1.0)
    >>> from gaussequiv.ingredients.losses import named as losses
    >>> found = margin_curves(x, y, np.ones(600), np.array([100.0, 500.0]), EmulatedStudent(losses.get("logistic"), 1.0, True, True))
    >>> bool(0.3 > found.test_error[0] > found.test_error[1] > 0.13)
    True
    """
    sizes = np.asarray(sizes, dtype=np.float64)
    out = MarginErrors(*(np.full(sizes.shape, np.nan) for _ in MarginErrors._fields))
    out.status[:], out.steps[:] = Status.max_steps, 0
    with np.errstate(all="ignore"):  # what diverges is left to `emulate`; its status says so
        rows = _decomposed(x, curvatures(x, y, weights, student), student)
        todo = np.flatnonzero((sizes > rows.rank) & (rows.rank < len(x)) | (student.lam > 0))
        if not todo.size:
            return out
        state, settled, out.steps[todo], out.residual[todo] = MarginIteration(rows, y, weights, sizes[todo], student).run()
        several = settled & (sizes[todo] < len(x))
        _fill(out, todo[several], rows, y, weights, sizes, student, state.only(several), band)
        # without noise that smooths them, single rows are counted: each through the curvatures of its own n
        for i in np.flatnonzero(settled & (sizes[todo] >= len(x))):
            here, ratio = todo[[i]], sizes[todo[i]] / len(x)
            own = _decomposed(x, _weighed(weights, ratio, state.V[i], state.slope[i]), student)
            last, fine, steps, out.residual[here] = MarginIteration(own, y, weights, sizes[here], student).run()
            out.steps[here] += steps
            _fill(out, here[fine], own, y, weights, sizes, student, last.only(fine), band)
    return out


def _fill(
    out: MarginErrors,
    where: Any,
    rows: DecomposedRows,
    y: FloatArray,
    weights: FloatArray,
    sizes: FloatArray,
    student: EmulatedStudent,
    state: MarginState,
    band: bool,
) -> None:
    """Errors and standard errors at settled states of the sizes `where`."""
    status = np.empty(where.shape)
    for i, n in enumerate(sizes[where]):
        found = mistakes(y, state.score[i], state.extra[i])
        beyond = n > len(y) and (state.clipped[i] or found.chance.sum() < COUNTED)
        status[i] = Status.nonfinite if beyond or not np.all(np.isfinite(found.chance)) else found.status
        out.test_error[where[i]] = found.chance.mean() if status[i] == Status.converged else np.nan
    out.status[where], known = status, status == Status.converged
    if band and known.any():
        out.test_error_stderr[where[known]] = _deviations(rows, y, weights, sizes[where[known]], student, state.only(known))


def _weighed(weights: FloatArray, ratio: float, V: FloatArray, slope: FloatArray) -> FloatArray:
    """Each row's curvature r E[-g']/(1 - V r E[-g']), not below a hundredth of the largest; the losses' own weights where there is none."""
    found = ratio * slope / np.maximum(1 - ratio * V * slope, EDGE)
    return np.maximum(found, LIGHTEST * found.max()) if np.all(np.isfinite(found)) and found.max() > 0 else weights


def _decomposed(x: FloatArray, weights: FloatArray, student: EmulatedStudent) -> DecomposedRows:
    return DecomposedRows(x, weights, intercept=student.intercept, smallest=0.1 * student.lam)


def curvatures(x: FloatArray, y: FloatArray, weights: FloatArray, student: EmulatedStudent) -> FloatArray:
    """Each row's curvature at n = N/3, as a weight.

    Of many rows, from a fit of some of them, whose V and extra variances the others share; the losses' own weights where that does not
    settle.
    """
    total = len(x)
    count = min(total, max(FEWEST, PER_COLUMN * x.shape[1]))
    some: Any = slice(None)
    if count < total:
        some = np.random.default_rng(0).permutation(total)[:count]
        if min(np.sum(y[some] == 1), np.sum(y[some] == -1)) < FEWEST_OF_A_CLASS:
            some, count = slice(None), total
    rows = _decomposed(x[some], weights[some], student)
    if student.lam == 0 and REFERENCE * count <= rows.rank:
        return weights
    sizes = np.array([max(REFERENCE * count, 2.0)])
    state, settled, _, _ = MarginIteration(rows, y[some], weights[some], sizes, student, tolerance=ROUGH).run()
    if not settled[0]:
        return weights
    V, slope = state.V[0], state.slope[0]
    if count < total:
        coefficients, middle = rows.coefficients(x[some], state.shares[0])
        score = (x @ coefficients + (state.constant[0] - middle))[None]
        V, extra = np.full((1, total), V.mean()), np.full((1, total), state.extra[0].mean())
        averages = noisy_gradients_of(student.loss, y, weights)
        for _ in range(SETTLING):
            _, slope, _ = averages(score, V, extra)
        V, slope = V[0], slope[0]
    return _weighed(weights, REFERENCE, V, slope)


def _deviations(
    rows: DecomposedRows, y: FloatArray, weights: FloatArray, sizes: FloatArray, student: EmulatedStudent, state: MarginState
) -> FloatArray:
    """The root of sum_i Cov(influence of row i, own part of row i)/N^2.

    Without row i the fit's score of row j moves by -G_ij psi_i, G = X Q X' with row i left out and psi = r phi; its left-out score by
    1/room_j times that, room = 1 - V r E[-g']. Sums of squares of h_ij over j != i are Var f, each taken as if rank one. The row's part in
    theta moves the noise of all rows, which moves theta again (the factor 1/(1 - back)).
    """
    N, a, r = rows.rows, rows.weights, (sizes / rows.rows)[:, None]
    level = left_out_levels(rows, state.u, student.lam)
    phi, slope, square = state.phi, state.slope, state.square
    if ramp_of(student.loss) is not None:  # slopes that jump are seen through the kernel that smooths the count of mistakes
        blur = (BANDWIDTH * np.std(state.score, axis=1, keepdims=True) * N**-0.2) ** 2
        slope = noisy_gradients_of(student.loss, y, weights)(state.score, level.V, np.maximum(state.extra, blur))[1]
    room, psi, curvature = np.maximum(1 - r * level.V * slope, EDGE), r * phi, r * slope
    chance, first, second, through = (np.zeros_like(state.score) for _ in range(4))
    for i in range(len(sizes)):
        chance[i], first[i], second[i], through[i], _ = mistakes(y, state.score[i], state.extra[i])
    noise = r * square - psi**2
    total = np.sum(curvature * level.D, axis=1, keepdims=True)
    theta = np.sum(noise * level.D, axis=1, keepdims=True) / total
    back = np.clip(np.sum(r * slope**2 * level.D**2, axis=1, keepdims=True) / total, 0.0, 0.9)
    coupling = np.sum(through * level.D, axis=1, keepdims=True) / (total * (1 - back)) * level.D
    own = chance + coupling * (noise - theta * curvature)
    moved = (first - 2 * coupling * psi * (1 - r) * slope) / room
    shares = np.zeros((len(sizes), rows.eigenvalues.size))
    _, _, through_fit = fitted_moves(rows, state.u, student.lam, curvature / room, moved, shares, SOLVING)
    influence = own + psi / room * (through_fit - level.V * room * moved)
    push = np.exp(state.u)[:, None] * psi / (rows.roots * level.gap)
    mass = level.variance / np.maximum(level.variance.sum(axis=1, keepdims=True), SMALLEST)
    influence -= 0.5 * push**2 * level.variance * np.sum(mass * second / (a * room**2), axis=1, keepdims=True)
    influence -= influence.mean(axis=1, keepdims=True)
    return np.sqrt(np.maximum(np.sum(influence * own, axis=1), 0.0)) / N
