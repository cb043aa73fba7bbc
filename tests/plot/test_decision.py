"""The figure of a decision: a curve for each candidate, and the words above it."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge

from gaussequiv import plot
from gaussequiv.errors import ArgumentError
from gaussequiv.estimators.candidates import weigh_candidates


def test_curves_markers_and_words(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1500, 5))
    y = X[:, 0] + rng.standard_normal(1500)
    found = weigh_candidates({"shrunk": Ridge(100.0), "plain": LinearRegression()}, X, y, train_sizes=[200, 400, 700, 1200, 2000])
    ax = plot.candidates(found)
    curves = [line for line in ax.lines if len(line.get_xdata()) == 5]
    assert [line.get_ydata()[-1] for line in curves] == found["test_error"].values[:, -1].tolist()
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[0].startswith("shrunk: -") and texts[1].startswith("plain: -")
    assert ax.get_title(loc="left").replace("\n", " ") == found.attrs["paragraph"]
    assert plot.candidates(found, paragraph=False).get_title(loc="left") == ""
    ax.figure.savefig(tmp_path / "figure.png")
    with pytest.raises(ArgumentError, match="weigh_candidates"):
        plot.candidates(found.drop_vars("gain_per_thousand"))
