"""Papers as objects: checks, names, combined results, and the catalogue."""

import json

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.cli.outputs import bibliography
from gaussequiv.reproduce import catalogue
from gaussequiv.reproduce.paper import Check, combine

TARGET = ge.DeepNetwork("tanh", depth=2, weight_variance=4)


def test_a_check_agrees_within_its_tolerance_and_never_with_nan():
    assert Check("a", 1.0, 1.0 + 1e-9, 2e-9, "source").agrees
    assert not Check("a", 1.0, 1.1, 0.05, "source").agrees
    assert not Check("a", 1.0, float("nan"), 0.05, "source").agrees
    assert Check("a", 1.0, 0.75, 0.3, "source").deviation == 0.25


@pytest.mark.parametrize("key", catalogue.keys())
def test_every_paper_has_its_key_an_entry_in_the_bibliography_and_figures(key):
    paper = catalogue.get(key)
    assert paper.key == key
    assert f"{{{key}," in bibliography([key])
    names = [figure.name for figure in paper.figures]
    assert names and len(set(names)) == len(names)


def test_a_letter_tells_papers_of_one_year_apart(tmp_path):
    for name in ("mergny2024a", "mergny2024b", "mergny2024", "mergny2024bc", "mergny", "2024", "mergny2024_fit", "__init__"):
        (tmp_path / f"{name}.py").touch()
    assert catalogue.keys(tmp_path) == ("mergny2024", "mergny2024a", "mergny2024b")


def test_wrong_names_get_a_suggestion():
    with pytest.raises(ge.ArgumentError, match="Did you mean 'cui2023'"):
        catalogue.get("cui2032")
    with pytest.raises(ge.ArgumentError, match="Did you mean 'regression'"):
        catalogue.get("cui2023").figure("regresion")


def test_combined_results_keep_every_number_and_every_problem():
    alpha = [0.5, 2.0]
    parts = {"bayes": ge.solve(ge.Problem(TARGET), alpha), "tuned": ge.solve(ge.Problem(TARGET, learner=ge.Ridge(0.1)), alpha)}
    out = combine(parts, "cui2023")
    assert out["test_error"].dims == ("learner", "alpha")
    for label, part in parts.items():
        np.testing.assert_array_equal(out["test_error"].sel(learner=label).values, part["test_error"].values)
        assert json.loads(out.attrs["problem"])[label] == json.loads(part.attrs["problem"])
    assert np.isnan(out["qhat"].sel(learner="tuned").values).all()  # ridge has no such observable
    assert out["converged"].dtype == bool and out["test_error"].attrs["units"] == "output units"
    assert out.attrs["citations"].startswith("cui2023,") and out.attrs["paper"] == "cui2023"


def test_comparisons_combine_too_and_plot():
    both = {name: ge.compare(ge.Problem(TARGET, learner=ge.Ridge(lam)), [1.0], d=20, trials=2) for name, lam in (("a", 0.1), ("b", 1.0))}
    out = combine(both, "cui2023")
    assert out["test_error"].sizes == {"learner": 2, "source": 2, "alpha": 1}
    assert "verdict" not in out.attrs
    assert ge.plot.curve(out).get_ylabel().startswith("test error")
