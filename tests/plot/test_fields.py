"""The figure of a diagnosis draws exactly its numbers."""

import matplotlib
import numpy as np
import pytest

import gaussequiv as ge

SIGN = ge.RandomGenerator("sign")


@pytest.fixture(scope="module")
def found():
    return ge.diagnose(SIGN, weights=["random", "coordinate"], N=100, samples=10_000)


def test_quantiles_and_distances(found):
    before = dict(matplotlib.rcParams)
    left, right = ge.plot.diagnosis(found)
    assert dict(matplotlib.rcParams) == before
    lines = [line.get_ydata() for line in left.lines]
    np.testing.assert_array_equal(lines[0], found.normal)
    np.testing.assert_array_equal(lines[1:], found["quantile"].values.reshape(4, -1))
    assert left.get_legend_handles_labels()[1] == ["normal law", "random", "coordinate"]
    dots = [line.get_ydata().tolist() for line in right.lines if line.get_marker() == "o"]
    assert dots == found.ks.values.tolist()
    assert [label.get_text() for label in right.get_xticklabels()] == ["random", "coordinate"]
    assert right.get_title() == "worst: not Gaussian"
    top = float(found.ks_noise + 5 * found.ks_noise_spread)
    levels = [float(line.get_ydata()[0]) for line in right.lines if line.get_marker() != "o"]
    assert levels == pytest.approx([float(found.ks_noise), top + 0.015])
    assert right.patches[0].get_extents().transformed(right.transData.inverted()).ymax == pytest.approx(top)
    left.figure.canvas.draw()


def test_along_time_on_given_axes():
    from matplotlib.figure import Figure

    problem = ge.OnlineSGD(generator=SIGN, dimension=50)
    found = ge.diagnose(problem, [0.0, 3.0], samples=10_000)
    axes = Figure().subplots(1, 2)
    left, right = ge.plot.diagnosis(found, axes)
    assert left is axes[0] and right is axes[1]
    assert left.get_legend_handles_labels()[1] == ["normal law", "time 0", "time 3"]
    assert [line.get_xdata().tolist() for line in right.lines if line.get_marker() == "o"] == [[0.0, 0.0], [3.0, 3.0]]
    assert right.get_xlabel() == "steps of SGD per input dimension, t = steps/N"
    assert right.get_title() == found.attrs["verdict"] or right.get_title().startswith("worst")


def test_other_results_and_axes_are_refused(found):
    with pytest.raises(ge.ArgumentError, match="Argument `result` must be a result of diagnose"):
        ge.plot.diagnosis(ge.solve(ge.Problem(), [1.0]))
    with pytest.raises(ge.ArgumentError, match="Argument `axes` must be two Axes"):
        ge.plot.diagnosis(found, [None])
    problem = ge.OnlineSGD(generator=SIGN, dimension=20)
    swept = ge.sweep(problem, [0.0], {"rate": [0.1, 0.2]}, verb="diagnose", samples=10_000)
    assert swept.ks.dims == ("rate", "time", "unit") and swept.verdict.dims == ("rate",)
    with pytest.raises(ge.ArgumentError, match="Argument `result` must be one diagnosis"):
        ge.plot.diagnosis(swept)
