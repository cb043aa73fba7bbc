"""Figures of observables with components and of several kinds of data, on a comparison of online SGD."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.errors import ArgumentError
from gaussequiv.plot.components import colour, components, log_spaced

TIMES = [0.1, 1.0, 10.0]


@pytest.fixture(scope="module")
def both():
    network, generator = ge.TwoLayer("erf", 2), ge.RandomGenerator("sign", latent_ratio=0.4)
    problem = ge.OnlineSGD(network, network, generator, data=("generator", "twin"), dimension=40)
    return ge.compare(problem, TIMES, trials=3, test_samples=50)


@pytest.mark.parametrize(("name", "count"), [("Q", 3), ("R", 4), ("cosine", 4), ("readout", 2), ("test_error", 1)])
def test_every_component_is_one_line_and_every_kind_of_data_a_marker(both, name, count):
    axes = ge.plot.curve(both, observable=name)
    assert len(axes.containers) == 2 * count
    lines = [line for line in axes.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 3]
    picks = [one.pick for one in components(both, name)]
    assert len(lines) == len(picks) == count and len({str(line.get_color()) for line in lines}) == count
    for i, pick in enumerate(picks):
        part = both[name].sel(pick)
        np.testing.assert_array_equal(lines[i].get_ydata(), part.sel(source="theory", data="twin").values)
        for j, data in enumerate(("generator", "twin")):
            marked = axes.containers[2 * i + j].lines[0]
            np.testing.assert_array_equal(marked.get_ydata(), part.sel(source="simulation", data=data).values)
            assert marked.get_color() == lines[i].get_color() and marked.get_marker() == "os"[j]
    names = axes.get_legend_handles_labels()[1]
    assert names[-2:] == ["SGD, generator", "SGD, twin"] and len(names) == 2 + (count if count > 1 else 0)


def test_a_symmetric_matrix_has_each_pair_once_by_name(both):
    assert ge.plot.curve(both, observable="Q").get_legend_handles_labels()[1][:3] == ["$Q_{00}$", "$Q_{01}$", "$Q_{11}$"]
    assert ge.plot.curve(both, observable="cosine").get_legend_handles_labels()[1][1] == "cosine 01"


def test_what_has_no_time_is_drawn_as_levels(both):
    axes = ge.plot.curve(both, observable="T")
    levels = [line.get_ydata()[0] for line in axes.lines]
    assert levels == [both["T"].values[0, 0], both["T"].values[0, 1], both["T"].values[1, 1]]
    assert axes.get_xscale() == "log" and axes.get_xlim() == pytest.approx((0.1, 10.0))


def test_numbers_of_one_side_have_no_error_bars(both):
    axes = ge.plot.curve(both, observable="z")
    assert not axes.containers and axes.get_legend_handles_labels()[1] == ["generator", "twin"]
    np.testing.assert_array_equal(next(line.get_ydata() for line in axes.lines if line.get_label() == "twin"), both.z.values[1])


def test_residuals_tell_kinds_of_data_apart(both):
    axes = ge.plot.residuals(both)
    assert axes.get_legend_handles_labels()[1] == ["generator", "twin"] and axes.get_xscale() == "log"
    assert len({line.get_color() for line in axes.lines if line.get_label() in ("generator", "twin")}) == 2


@pytest.mark.parametrize("name", ["verdict", "nothing"])
def test_what_cannot_be_drawn_is_named(both, name):
    with pytest.raises(ArgumentError, match=r"observable.*cosine"):
        ge.plot.curve(both.assign(verdict="agree"), observable=name)


def test_the_axis_is_logarithmic_where_points_are(both):
    assert ge.plot.curve(both).get_xscale() == "log" and ge.plot.curve(both, log=False).get_xscale() == "linear"
    start = ge.solve(ge.OnlineSGD(dimension=40), time=[0.0, *TIMES])
    assert ge.plot.curve(start).get_xscale() == "linear"
    for draw in (ge.plot.curve, ge.plot.residuals):
        with pytest.raises(ArgumentError, match=r"log.*time.*positive"):
            draw(start.assign(z=start.test_error), log=True)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (np.geomspace(0.1, 100, 7), True),
        ([0.5, 2.0, 8.0, 30.0], True),
        ([1, 2, 5, 10, 20, 50, 100], True),
        ([0.1, 10.0], False),
        ([1.0, 2.0, 4.0], False),
        (np.linspace(0.1, 10, 20), False),
        ([0.0, 1.0, 10.0], False),
        ([0.5, 1, 2, 3, 4, 5, 6], False),
        ([1.0], False),
    ],
)
def test_log_spaced_points(points, expected):
    assert log_spaced(points) is expected


@pytest.mark.parametrize("count", [2, 10, 13, 24])
def test_no_colour_comes_twice(count):
    assert len({str(colour(i, count)) for i in range(count)}) == count


def test_many_components_have_their_legend_beside_the_axes():
    network = ge.TwoLayer("erf", 4)
    axes = ge.plot.curve(ge.solve(ge.OnlineSGD(network, network, dimension=40), TIMES), observable="R")
    assert len(axes.get_legend_handles_labels()[1]) == 16 and axes.get_legend().get_bbox_to_anchor() is not None


def test_many_values_of_a_continuous_coordinate_have_few_names():
    network = ge.TwoLayer("erf", 1)
    problem = ge.OnlineSGD(network, network, ge.RandomGenerator("tanh", latent_ratio=1.5), dimension=40)
    axes = ge.plot.curve(ge.solve(problem, TIMES, by_mode=True), observable="R_by_mode")
    names = axes.get_legend_handles_labels()[1]
    assert len(names) == 6 and all(name.startswith("mode=") and "unit" not in name for name in names)
    assert len({str(line.get_color()) for line in axes.lines if len(line.get_xdata()) == 3}) == 40
