"""One figure for a decision: a better model, or more rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gaussequiv.results import check_result

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

WIDTH = 118  # letters of a line of the paragraph


def candidates(result: xr.Dataset, ax: Axes | None = None, *, paragraph: bool = True) -> Axes:
    """Curves of `weigh_candidates` with bands of two standard errors, what they are at twice the rows, and the paragraph below.

    Markers with bars at N and 2 N are the errors and their intervals; the dashed line is the size at hand.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression, Ridge
    >>> from gaussequiv import plot, weigh_candidates
    >>> X = np.random.default_rng(0).standard_normal((1500, 5))
    >>> y = X[:, 0] + np.random.default_rng(1).standard_normal(1500)
    >>> found = weigh_candidates({"ridge": Ridge(), "plain": LinearRegression()}, X, y, train_sizes=[50, 200, 800, 1500, 2250])
    >>> plot.candidates(found).get_xlabel()
    'training rows'
    """
    from textwrap import fill

    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    check_result(result, "gain_per_thousand", "weigh_candidates")
    if ax is None:
        ax = Figure(figsize=(8.4, 5.6), layout="constrained").subplots()
    total = int(result.attrs["n_total"])
    sizes = result["train_size"].values
    for i, name in enumerate(result["candidate"].values.tolist()):
        one, color = result.sel(candidate=name), f"C{i}"
        error, spread = one["test_error"].values, one["test_error_stderr"].values
        gain = float(one["gain_per_thousand"].sel(bound="best"))
        told = f"{name}: {-gain:+.2g} by 1,000 more rows" if np.isfinite(gain) else name
        ax.plot(sizes, error, color=color, label=told)
        ax.fill_between(sizes, error - 2 * spread, error + 2 * spread, color=color, alpha=0.15, lw=0)
        shift = 1.012 ** (i - (result.sizes["candidate"] - 1) / 2)  # side by side
        for place, variable in ((total, "error_now"), (2 * total, "error_doubled")):
            middle, low, high = one[variable].values
            ax.errorbar(place * shift, middle, [[middle - low], [high - middle]], fmt="o", ms=5, capsize=3, color=color, mfc="white")
    ax.axvline(total, color="0.5", lw=0.8, ls="--")
    now = result["error_now"].sel(bound="best").values
    later = result["error_doubled"].sel(bound="high").values
    shown = result["test_error"].where(result["train_size"] >= 0.1 * total).values
    ax.set_ylim(0, 1.1 * float(np.nanmax(np.concatenate([now, later, shown.ravel()]))))
    ax.set(xscale="log", xlabel="training rows")
    ax.set_ylabel("test error (" + ("misclassification" if result.attrs["task"] == "classification" else "mean squared") + ")")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.legend(frameon=False, loc="best")
    ax.text(total, 1.01, "rows at hand", transform=ax.get_xaxis_transform(), ha="center", color="0.4", fontsize=8)
    if paragraph:
        ax.set_title(fill(result.attrs["paragraph"], WIDTH), fontsize=8, loc="left", pad=18)
    return ax
