"""Finite-size allowances of online learning: which fit covers what, and verdicts by them."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.problems.online_sgd.allowance import COMMITTED, training_allowances, training_family, training_place

ERF = ge.TwoLayer("erf", 2)


def of(*activations, **options):
    return ge.OnlineSGD(ERF, ERF, ge.RandomGenerator(activations), **options)


def test_families_tell_depth_activations_and_labels_apart():
    tanh, relu, sine = (ge.TwoLayer(name, 2) for name in ("tanh", "relu", "sine"))
    assert training_family(of()) == training_family(ge.OnlineSGD(tanh, ERF)) == "independent/sigmoidal/real"
    assert training_family(of("sign", labels="sign")) == "one layer/sigmoidal/sign"
    assert training_family(of("sign", "relu")) == training_family(of("sign", "relu", "relu")) == "deep/sigmoidal/real"
    assert training_family(ge.OnlineSGD(relu, relu)) == "independent/relu/real"
    for other in (ge.OnlineSGD(relu, ERF), ge.OnlineSGD(sine, sine), of("sign", teacher_sees="inputs")):
        assert training_family(other) is None
    assert training_family(ge.OnlineSGD(ERF, ERF, ge.load_generator("digits-vae"))) is None


def test_the_committed_table_is_well_formed():
    assert {name.split("/")[0] for name in COMMITTED.table["families"]} == {"independent", "one layer", "deep"}
    for name, entry in COMMITTED.table["families"].items():
        assert 0 < entry["c"] < 6, name  # of the value no more than 5% is allowed
        assert set(entry["range"]) == set(training_place(of(), 1.0)), name
        fitted = [np.abs(one["c"]) + 2 * np.array(one["c_stderr"]) for one in entry["problems"]]
        assert entry["c"] == pytest.approx(max(one.max() for one in fitted), abs=0.02), name  # printed to two digits


def test_the_allowance_falls_with_the_size_and_ends_with_the_range():
    c = COMMITTED.table["families"]["independent/sigmoidal/real"]["c"]
    np.testing.assert_allclose(training_allowances(of(), np.array([0.0, 1.0, 20.0]), 200), c / 200)
    np.testing.assert_allclose(training_allowances(of(), np.array([1.0]), 400), c / 400)
    found = training_allowances(of(), np.array([1.0, 50.0]), 200)
    assert np.isfinite(found[0]) and np.isnan(found[1])
    assert np.isnan(training_allowances(of(), np.array([1.0]), 50)).all()
    for outside in ({"rate": 2.0}, {"noise": 5.0}, {"weight_decay": 1.0}, {"batch": 32}):
        assert np.isnan(training_allowances(of(**outside), np.array([1.0]), 200)).all()
    small = ge.TwoLayer("erf", 2, weight_std=1e-3)  # plateaus, which fluctuations end
    assert np.isnan(training_allowances(ge.OnlineSGD(small, ERF), np.array([1.0]), 200)).all()


def test_a_comparison_has_a_verdict():
    """Of samples of a generator and of their twin, 16 trials at N = 200."""
    both = ge.compare(of("sign", noise=0.1, data=("generator", "twin")), time=[0.3, 1.0, 3.0], N=200, seed=0, progress=False)
    assert both.attrs["verdict"] == "agree", both.attrs["reason"]
    assert both.allowance.dims == ("data", "time")
    assert np.all(both.allowance < 0.03 * both.test_error.sel(source="theory"))
