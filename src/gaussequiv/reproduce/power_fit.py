"""A power law fitted to measured deviations, and the table of a measurement in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import chi2

from gaussequiv.errors import FloatArray

if TYPE_CHECKING:
    import xarray as xr

POWERS = np.linspace(-1.0, 4.0, 501)
DRAWS = 2000
CLEAR = 2.0  # standard errors from zero
LEAST_FIT = 0.01


class PowerFit(NamedTuple):
    """deviation = a d^{-power}: the power, its central 95% interval, whether enough sizes are resolved from zero to speak of one, and the
    probability of a worse fit (nan with two sizes)."""

    power: float
    power_low: float
    power_high: float
    resolved: float
    fit: float


def fit_power(d: FloatArray, deviation: FloatArray, stderr: FloatArray, *, seed: int = 0) -> PowerFit:
    r"""Weighted least squares of a d^{-p} with a sign, and a parametric bootstrap.

        minimise over a, p:  sum_d ((deviation - a d^{-p})/stderr)^2

    Unlike a straight line through log|deviation| it is not biased by sizes whose deviation is lost in the noise.

    Parameters
    ----------
    d, deviation, stderr : arrays of shape (sizes,); sizes without a finite number are left out
    seed : int
        Of the 2000 bootstrap draws, deviation + stderr z.

    `resolved` is 1 if at least two of three or more sizes are two standard errors from zero, these have the same sign, and the power law
    is not excluded (fit > 0.01). It is an effective power over these sizes: the interval knows
    nothing of corrections to scaling. Powers are searched in [-1, 4]; an end
    of the interval there means that the data do not bound it.

    Examples
    --------
    >>> d = np.array([10.0, 20.0, 40.0])
    >>> fit = fit_power(d, -0.3 / d, 1e-5 * np.ones(3))
    >>> round(fit.power, 2), fit.resolved
    (1.0, 1.0)
    """
    known = np.isfinite(deviation) & np.isfinite(stderr)
    if known.sum() < 2:
        return PowerFit(np.nan, np.nan, np.nan, 0.0, np.nan)
    d, deviation, stderr = d[known], deviation[known], stderr[known]
    rng = np.random.default_rng(seed)
    draws = np.vstack([deviation, deviation + stderr * rng.standard_normal((DRAWS, d.size))]) / stderr
    shape = (d / d[0]) ** -POWERS[:, None] / stderr
    shape /= np.linalg.norm(shape, axis=1, keepdims=True)
    best = POWERS[np.argmax((draws @ shape.T) ** 2, axis=1)]  # the scale a is eliminated: largest projection
    misfit = float(draws[0] @ draws[0] - np.max((draws[0] @ shape.T) ** 2))
    fit = float(chi2.sf(misfit, d.size - 2)) if d.size > 2 else np.nan
    low, high = np.quantile(best[1:], [0.025, 0.975])
    clear = np.abs(deviation) > CLEAR * stderr
    signs = np.unique(np.sign(deviation[clear]))
    resolved = clear.sum() >= 2 and signs.size == 1 and fit > LEAST_FIT
    return PowerFit(float(best[0]), float(low), float(high), float(resolved), fit)


def table(grid: xr.Dataset, beyond: xr.Dataset | None = None) -> str:
    """The measured deviations in Markdown: one row for each network and n, one column for each d, and the fitted power.

    Deviations are in units of 1e-4 with standard errors in parentheses; those within two standard errors of zero are in italics.
    """
    parts = [grid] if beyond is None else [grid, beyond]

    def every(name: str) -> FloatArray:
        return np.concatenate([part[name].values.ravel() for part in parts])

    blocks = []
    for name, words in (("information", "Mutual information per sample (nats)"), ("test_error", "Bayes error (output units)")):
        lines = [f"## {words}: network minus linear equivalent, in 1e-4", "", *_head(grid, "network | n/d")]
        for activation in grid["activation"].values:
            for depth in grid["depth"].values:
                for alpha in grid["alpha"].values:
                    one = grid.sel(activation=activation, depth=depth, alpha=alpha)
                    mark = " *" if activation == "relu" else ""
                    lines.append(_row(f"{activation}, L = {depth}{mark} | {alpha:g}", one, name))
        if beyond is not None:
            lines += ["", "One layer of tanh(2x) at n = d^power:", "", *_head(beyond, "power")]
            lines += [_row(f"{power:g}", beyond.sel(power=power), name) for power in beyond["power"].values]
        blocks.append("\n".join(lines))
    notes = [
        "\\* outside the theorem's hypotheses (odd, smooth activations).",
        "Effective powers p of a d^-p over these sizes with 95% intervals (parametric bootstrap, searched from -1 to 4; corrections "
        "to scaling are not in them). The theorem bounds the information's deviation by d^-1/2 at n ~ d and gives no rate for the "
        "error. A dash: not measured, fewer than two sizes resolved from zero, or no power law fits.",
        f"Networks: {_range(every('trials'))} each; annealing bracket of the information per sample at most "
        f"{np.nanmax(every('information_upper') - every('information_lower')):.1e} nats; variance gained by the control variates: "
        f"{_range(every('information_gain'))}.",
    ]
    return "\n\n".join([*blocks, *notes]) + "\n"


def _head(part: xr.Dataset, first: str) -> list[str]:
    columns = [f"d = {d}" for d in part["d"].values] + ["power"]
    return ["| " + " | ".join([first, *columns]) + " |", "|" + "---|" * (first.count("|") + 1 + len(columns))]


def _row(label: str, part: xr.Dataset, name: str) -> str:
    cells = []
    for value, error in zip(part[f"{name}_deviation"].values, part[f"{name}_deviation_stderr"].values, strict=True):
        text = f"{1e4 * value:.1f}({1e4 * error:.1f})"
        cells.append("-" if not np.isfinite(value) else text if abs(value) > CLEAR * error else f"*{text}*")
    low, high = (float(part[f"{name}_power_{end}"]) for end in ("low", "high"))
    fitted = f"{float(part[f'{name}_power']):.2f} [{low:.2f}, {high:.2f}]" if float(part[f"{name}_resolved"]) else "-"
    return "| " + " | ".join([label, *cells, fitted]) + " |"


def _range(values: FloatArray) -> str:
    low, high = np.nanmin(values), np.nanmax(values)
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
