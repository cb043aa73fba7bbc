"""The measurement of camilli2025: fitted powers, table, checks, resumption."""

from dataclasses import replace

import numpy as np
import pytest

from gaussequiv.errors import ArgumentError
from gaussequiv.papers import camilli2025
from gaussequiv.reproduce import catalogue
from gaussequiv.reproduce.power_fit import fit_power, table

TINY = camilli2025.Scale((1,), (1.0,), (8,), (1.25,), (8,), 8, 16)  # what is compiled takes the time
D = np.array([10.0, 20.0, 40.0, 80.0])


@pytest.mark.parametrize("power", [0.0, 0.5, 1.3, 3.0])
@pytest.mark.parametrize("sign", [-1, 1])
def test_an_exact_power_is_found(power, sign):
    fit = fit_power(D, sign * 0.2 * D**-power, 1e-6 * D**-power)
    assert fit.power == pytest.approx(power, abs=1e-9)
    assert fit.power_low <= fit.power <= fit.power_high < fit.power_low + 0.05
    assert fit.resolved == 1


def test_the_interval_covers_as_it_says_and_the_power_is_not_biased_by_lost_sizes():
    """The last size is about one standard error from zero: a line through log|deviation| would flatten."""
    rng, error = np.random.default_rng(0), np.full(4, 4e-3)
    fits = [fit_power(D, -0.3 / D + error * rng.standard_normal(4), error, seed=k) for k in range(300)]
    inside = np.mean([fit.power_low <= 1 <= fit.power_high for fit in fits])
    assert abs(inside - 0.95) < 4 * np.sqrt(0.05 * 0.95 / 300) + 0.01
    powers = np.array([fit.power for fit in fits])
    assert abs(np.median(powers) - 1) < 4 * 1.25 * powers.std() / np.sqrt(300) + 0.02


def test_what_is_lost_in_noise_is_not_resolved():
    assert fit_power(D, np.array([0.1, -0.2, 0.3, 0.1]), np.ones(4)).resolved == 0
    assert fit_power(D, np.array([5.0, -4.0, 0.1, 0.1]), np.ones(4)).resolved == 0  # opposite signs are no power law
    assert fit_power(D, np.array([5.0, 0.4, 0.1, 0.1]), np.ones(4)).resolved == 0
    assert fit_power(D, np.array([5.0, 3.0, 0.1, 0.1]), np.ones(4)).resolved == 1


def test_sizes_that_were_not_measured_are_left_out():
    value, error = np.array([-0.2, -0.1, np.nan, -0.05]), np.array([1e-6, 1e-6, np.nan, 1e-6])
    known = D != 40
    assert fit_power(D, value, error) == fit_power(D[known], value[known], error[known])
    assert np.isnan(fit_power(D[:1], value[:1], error[:1]).power)


def test_hours_are_shared_by_cost():
    budget = camilli2025.Budget(1.0, {"a": 1.0, "b": 3.0})
    assert budget.take("a") == pytest.approx(900, abs=1)
    assert budget.take("b") == pytest.approx(3600, abs=1)  # what a did not use is left for b
    assert camilli2025.Budget(None, {"a": 1.0}).take("a") is None


def test_the_closed_forms_agree():
    assert all(check.agrees for check in camilli2025._formula_checks())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("camilli2025")


@pytest.fixture(scope="module")
def data(folder):
    return camilli2025.measure_grid(TINY, 0, folder, progress=False) | camilli2025.measure_beyond(TINY, 0, folder, progress=False)


def test_shapes_and_provenance(data):
    assert dict(data["grid"].information_deviation.sizes) == {"activation": 2, "depth": 1, "alpha": 1, "d": 1}
    assert data["grid"].information_power.dims == ("activation", "depth", "alpha")
    assert dict(data["beyond"].test_error_deviation.sizes) == {"power": 2, "d": 1}
    assert np.isfinite(data["grid"].information_deviation).all()
    assert data["grid"].attrs["paper"] == camilli2025.KEY
    at_d = data["grid"].sel(activation="tanh(2x)", depth=1, alpha=1.0)
    assert np.array_equal(at_d.information.values, data["beyond"].sel(power=1.0).information.values)  # the same trials


def test_finished_trials_are_not_run_again(data, folder, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a finished trial was run again")

    monkeypatch.setattr("gaussequiv.run.evidence_trials.trial_records", refuse)
    again = camilli2025.measure_beyond(TINY, 0, folder, progress=False)
    assert np.array_equal(again["beyond"].information.values, data["beyond"].information.values)


def test_no_hours_gather_what_a_folder_holds(data, folder, monkeypatch):
    monkeypatch.setattr("gaussequiv.run.evidence_trials.trial_records", lambda *arguments: pytest.fail("a trial was run"))
    more = replace(TINY, sizes=(8, 12), alphas=(0.5, 1.0))  # of these the folder has one cell for each activation
    found = camilli2025.measure_grid(more, 0, folder, hours=0, progress=False)
    grid = found["grid"]
    assert np.array_equal(grid.information.sel(alpha=1.0, d=8, depth=1), data["grid"].information.sel(alpha=1.0, d=8, depth=1))
    assert int(np.isfinite(grid.information).sum()) == 2 and "jax" in grid.attrs["made_with"]
    assert "linear" in found and "| - |" in table(grid)
    assert catalogue.get("camilli2025").figures[0].draw(found).axes
    with pytest.raises(ArgumentError, match="`output` must be a folder with at least 16 networks"):
        camilli2025.measure_grid(more, 0, folder / "empty", hours=0, progress=False)


def test_figures_checks_and_table(data):
    paper = catalogue.get("camilli2025")
    for figure in paper.figures:
        assert figure.draw(data).axes
        checks = figure.check(data)
        assert len(checks) >= 5 and all(check.agrees for check in checks)
    text = table(data["grid"], data["beyond"])
    assert text.count("| relu, L = 1 * | 1 |") == 2 and "outside the theorem's hypotheses" in text
    assert text.count("d = 8 |") == 4 and all(len(line) < 140 for line in text.splitlines() if line.startswith("|"))
