"""The verb `information`: shape, units, provenance, sizes."""

import json

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv import plot
from gaussequiv.equivalence.validity import reduction_rate
from gaussequiv.learners.bayes.information import information as formulas
from gaussequiv.results import to_json
from gaussequiv.run.information import information

ALPHA = [0.5, 1.0, 3.0]
ENTROPIES = ("label_entropy", "label_noise_entropy", "predictive_entropy", "free_entropy_per_sample")
INFORMATION = ("mutual_information", "mutual_information_per_sample", "conditional_information", "layer_information")


def problem(**options):
    return ge.Problem(ge.DeepNetwork("tanh", 2, weight_variance=4, **options))


def test_the_dataset_has_names_units_and_provenance():
    found = information(problem(noise=0.2), ALPHA)
    assert found.mutual_information.dims == ("alpha",) and found.layer_information.dims == ("layer",)
    assert found.layer.values.tolist() == [1, 2]
    for name in (*ENTROPIES, *INFORMATION):
        assert found[name].attrs["units"] == "nats" and found[name].attrs["long_name"] != name
    assert "reduction_rate" not in found
    assert bool(found.converged.all())
    assert json.loads(found.attrs["call"]) == {"verb": "information"}
    assert found.attrs["validity"].startswith("theorem: Camilli")
    assert "camilli2025" in found.attrs["citations"] and "barbier2019" in found.attrs["citations"]


def test_the_numbers_are_those_of_the_formulas():
    one = problem(task="classification", noise=0.1)
    found = information(one, ALPHA, keep=1)
    for name, values in formulas(one.equivalent(), np.array(ALPHA), 1).items():
        assert np.array_equal(found[name].values, values)
    assert found.attrs["kept"] == 1 and json.loads(found.attrs["call"])["keep"] == 1


def test_only_the_split_depends_on_the_layers_left():
    """To leading order the network, its partial reductions and the linear equivalent carry the same information."""
    kept = [information(problem(noise=0.2), ALPHA, keep=k) for k in range(3)]
    for one in kept[1:]:
        for name in ("mutual_information_per_sample", "label_entropy", "layer_information", "predictive_entropy"):
            assert np.array_equal(one[name].values, kept[0][name].values)
    mutual = np.array([one.mutual_information.values for one in kept])
    shares = kept[0].layer_information.values
    assert np.diff(mutual, axis=0) == pytest.approx(np.array(ALPHA) * shares[:, None], rel=1e-12)
    eta, gamma = ([one.attrs[name] for one in kept] for name in ("eta", "gamma"))
    assert np.all(np.diff(eta) > 0) and np.all(np.diff(gamma) < 0) and gamma[2] == 0


def test_samples_in_place_of_alpha_and_rates_at_a_size():
    target = ge.DeepNetwork("tanh", 3, noise=0.2, widths=(300, 50, 400))
    found = information(ge.Problem(target), n=[100, 400], d=200)
    assert found.alpha.values.tolist() == [0.5, 2.0] and found.n.values.tolist() == [100, 400] and found.attrs["d"] == 200
    exact = [[reduction_rate(n, smallest) for n in (100, 400)] for smallest in (200, 50, 50)]
    assert found.reduction_rate.values == pytest.approx(np.array(exact), rel=1e-15)


def test_the_spectrum_at_a_size():
    inputs = ge.GaussianInputs("power-law:0.8")
    limit, at = (information(ge.Problem(problem(noise=0.2).target, inputs), 1.0, d=d) for d in (None, 50))
    assert abs(float(limit.mutual_information[0] / at.mutual_information[0]) - 1) > 0.01


def test_learner_and_features_play_no_role():
    target = problem(noise=0.2).target
    seen = ge.Problem(target, learner=[ge.BayesOptimal(), ge.Ridge(0.1)], features=ge.RandomFeatures("erf"))
    assert np.array_equal(information(seen, ALPHA).label_entropy.values, information(ge.Problem(target), ALPHA).label_entropy.values)


def test_a_linear_target_has_no_layers():
    found = information(ge.Problem(ge.DeepNetwork((), readout_variance=2.0, noise=0.2)), ALPHA, d=100)
    assert found.sizes["layer"] == 0 and np.all(found.conditional_information == 0) and "reduction_rate" not in found
    assert found.attrs["eta"] == pytest.approx(np.sqrt(2)) and found.attrs["gamma"] == 0
    assert np.all(found.mutual_information == found.alpha * found.mutual_information_per_sample)


@pytest.mark.parametrize("kind", ["nc", "json", "csv"])
def test_results_survive_files(tmp_path, kind):
    found = information(problem(), ALPHA)  # infinite information
    back = ge.load(ge.save(found, tmp_path / f"information.{kind}"))
    assert back.label_entropy.values == pytest.approx(found.label_entropy.values, rel=1e-15)
    assert back.layer_information.values[0] == found.layer_information.values[0]
    assert bool(back.converged.all())
    if kind != "json":
        assert np.all(np.isinf(back.mutual_information_per_sample))
    assert to_json(found)["mutual_information_per_sample"] == [None, None, None]


@pytest.mark.parametrize("target", [{"noise": 0.2}, {}, {"task": "classification"}])
def test_the_figure_shows_what_is_finite(target):
    axes = plot.information(information(problem(**target), np.geomspace(0.1, 10, 8)), log=True)
    labels = [line.get_label() for line in axes.lines]
    assert "entropy of the labels" in labels and "information, weights" in labels
    assert ("entropy of the label noise" in labels) == bool(target)
    assert axes.get_ylabel() == "nats per sample" and axes.get_xscale() == "log"


def test_other_results_have_no_such_figure():
    with pytest.raises(ge.ArgumentError, match="a result of information"):
        plot.information(ge.solve(problem(), ALPHA))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"alpha": -1.0}, "`alpha` must be positive"),
        ({}, "n in its place"),
        ({"n": 100}, "given together with n"),
        ({"alpha": 1.0, "keep": 3}, "at most 2"),
        ({"alpha": 1.0, "keep": 0.5}, "`keep` must be an integer"),
    ],
)
def test_refusals(call, text):
    with pytest.raises(ge.ArgumentError, match=text):
        information(problem(), **call)
