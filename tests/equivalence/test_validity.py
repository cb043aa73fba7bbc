"""Which problems are theorems, replica results and extensions."""

import json

import numpy as np
import pytest

from gaussequiv import ArgumentError, DataInputs, DeepNetwork, GaussianInputs, LinearTarget, Output, Problem
from gaussequiv.equivalence.validity import Validity, assess, assess_features, reduction_rate, spectrum_summary

PLAIN = GaussianInputs()
DATA = DataInputs(np.random.default_rng(0).standard_normal((20, 3)))


@pytest.mark.parametrize(
    "network", [DeepNetwork("tanh", depth=3, noise=0.1), DeepNetwork("erf", noise=1.0), DeepNetwork("sine", weight_variance=4, noise=0.1)]
)
def test_smooth_odd_networks_with_noise_are_a_theorem(network):
    found = assess(PLAIN, network)
    assert found.status == "theorem"
    assert "Theorem 1" in found.reason
    assert all(holds for _, holds in found.hypotheses)


def test_a_linear_target_needs_no_reduction():
    assert assess(PLAIN, DeepNetwork((), noise=0.1)).reason == "a linear target needs no reduction"


@pytest.mark.parametrize(
    ("inputs", "network", "status", "failing"),
    [
        (PLAIN, DeepNetwork("tanh"), "replica result", "label noise > 0"),
        (PLAIN, DeepNetwork("sign", noise=0.1), "replica result", "twice differentiable with bounded derivatives"),
        (PLAIN, DeepNetwork(("tanh", "erf"), noise=0.1), "replica result", "the same layer repeated"),
        (PLAIN, DeepNetwork("tanh", depth=2, weight_variance=(1, 2), noise=0.1), "replica result", "the same layer repeated"),
        (PLAIN, DeepNetwork("tanh", noise=0.1, task="classification"), "replica result", "real labels (the sign is not smooth)"),
        (GaussianInputs("power-law:0.5"), DeepNetwork("tanh", noise=0.1), "replica result", "isotropic Gaussian inputs"),
        (PLAIN, DeepNetwork("relu", noise=0.1), "extension verified numerically", "odd activations"),
        (PLAIN, DeepNetwork("tanh", bias_variance=0.1, noise=0.1), "extension verified numerically", "no biases, no given offset"),
        (PLAIN, DeepNetwork("tanh", offset=0.5, noise=0.1), "extension verified numerically", "no biases, no given offset"),
        (GaussianInputs(mean=1.0), DeepNetwork("tanh", noise=0.1), "extension verified numerically", "isotropic Gaussian inputs"),
        (DATA, DeepNetwork("tanh", noise=0.1), "extension verified numerically", "isotropic Gaussian inputs"),
    ],
)
def test_each_broken_hypothesis_is_named(inputs, network, status, failing):
    found = assess(inputs, network)
    assert found.status == status
    assert not dict(found.hypotheses)[failing]
    assert f"NO: {failing}" in str(found)


def test_all_other_hypotheses_hold_when_one_breaks():
    found = assess(PLAIN, DeepNetwork("tanh"))
    assert [text for text, holds in found.hypotheses if not holds] == ["label noise > 0"]


def test_spectrum_summaries():
    assert spectrum_summary(np.array([2.5]), np.ones(1)) == "isotropic, eigenvalue 2.5"
    text = spectrum_summary(np.array([2.0, 0.0]), np.array([0.25, 0.75]))
    assert text == "2 modes, mean 0.5, from 0 to 2, rank fraction 0.25"


# --- what the theorem promises at given sizes -------------------------------------------------------------------------------------

DEEP = Problem(DeepNetwork("tanh", depth=3, noise=0.1, widths=(400, 100, 900)))


def test_rates_layer_by_layer():
    """Camilli, Tieplova, Bergamin, Barbier 2025, Theorem 1 and Corollary 3: (1 + sqrt(n/d_m) + n/d_m)/sqrt(d_m), d_m = min(d_0..d_l)."""
    found = DEEP.validity(n=1600, d=200)
    assert [(step.layer, step.smallest) for step in found.steps] == [(3, 100), (2, 100), (1, 200)]
    assert found.steps[0].rate == pytest.approx((1 + 4 + 16) / 10)
    assert found.steps[2].rate == pytest.approx((1 + np.sqrt(8) + 8) / np.sqrt(200))
    assert (found.n, found.d, found.widths, found.smallest) == (1600, 200, (400, 100, 900), 100)
    assert found.rate == found.steps[0].rate
    assert found.variance_rate == pytest.approx(1 / 1600 + 1 / 100)
    assert found.excess == pytest.approx(1.6)


def test_rates_fall_as_the_theorem_says():
    d = 10.0 ** np.arange(4, 13)
    for growth, slope in ((1.0, -0.5), (1.2, -0.3), (1.5, 0.0), (1.7, 0.2)):  # n = d^growth
        rate = np.log10(reduction_rate(d**growth, d))
        assert rate[-1] - rate[-2] == pytest.approx(slope, abs=0.01)


def test_other_widths_and_none():
    assert DEEP.validity(100, 50, 60).widths == (60, 60, 60)
    assert DEEP.validity(100, 50, (60, 40, 70)).smallest == 40
    assert DEEP.target.widths == (400, 100, 900)
    assert Problem(DeepNetwork("tanh", depth=2, noise=0.1)).validity(10, 100).widths == (140, 140)
    empty = DEEP.validity()
    assert empty.rate is None and empty.steps == () and "d_m^(-1/2)" in str(empty)
    assert DEEP.validity(d=50).widths == (400, 100, 900)
    assert Problem(DeepNetwork("tanh"), DATA).validity(n=5).d == 3
    custom = Problem(DeepNetwork(("tanh", lambda x: np.tanh(x)), noise=0.1)).validity(10, 100, 30)
    assert custom.smallest == 30


def test_the_promise_in_words():
    text = str(DEEP.validity(1600, 200))
    for words in (
        "theorem:",
        "yes  odd activations",
        "layer 3 replaced: rate 2.1",
        "too large",
        "no error bar",
        "n = o(d_m^(3/2))",
        "not known",
    ):
        assert words in text
    assert "which must be small" in str(DEEP.validity(100, 200)) and "No theorem" not in text
    broken = str(Problem(DeepNetwork("relu", noise=0.1)).validity(100, 200))
    assert "NO   odd activations" in broken and "No theorem covers this problem" in broken
    assert "nothing to reduce" in str(Problem(DeepNetwork((), noise=0.1)).validity(100, 200))
    assert Problem(DeepNetwork((), noise=0.1)).validity(100, 200).rate == 0


def test_the_promise_as_data():
    found = json.loads(json.dumps(DEEP.validity(1600, 200).to_dict()))
    assert found["validity"]["status"] == "theorem" and found["steps"][0] == {"layer": 3, "smallest": 100, "rate": 2.1}
    assert found["widths"] == [400, 100, 900] and found["excess"] == 1.6


@pytest.mark.parametrize(
    ("problem", "call", "text"),
    [
        (DEEP, {"n": 0, "d": 10}, "`n` must be an integer of at least 1"),
        (DEEP, {"n": 10}, "given together with n"),
        (DEEP, {"widths": 10}, "given together with n"),
        (DEEP, {"n": 10, "d": 10, "widths": (1, 2)}, "one for each hidden layer"),
        (Problem(LinearTarget("rademacher")), {"n": 10, "d": 10, "widths": 5}, "without hidden layers"),
        (Problem(DeepNetwork("tanh"), DATA), {"n": 10, "d": 4}, "3, the dimension of the inputs"),
    ],
)
def test_refused_sizes(problem, call, text):
    with pytest.raises(ArgumentError, match=text):
        problem.validity(**call)


def test_linear_targets_of_any_label_law_are_a_theorem():
    found = assess(PLAIN, DeepNetwork((), task="classification"))
    assert found.status == "theorem" and "Barbier, Krzakala" in found.reason
    assert assess(GaussianInputs("power-law:0.5"), DeepNetwork((), task="classification")).status == "replica result"
    assert assess(PLAIN, DeepNetwork(())).status == "replica result"


@pytest.mark.parametrize(("function", "odd"), [(np.tanh, True), (np.abs, False), (lambda z: z**2, False)])
def test_readouts_must_be_odd(function, odd):
    found = assess(PLAIN, DeepNetwork("tanh", labels=Output(function, noise=0.1)))
    assert dict(found.hypotheses)["odd readout of the field"] == odd


@pytest.mark.parametrize(("prior", "gaussian"), [("gaussian:2", True), ("rademacher", False)])
def test_priors_must_be_gaussian(prior, gaussian):
    found = Problem(LinearTarget(prior, noise=0.1)).validity(100, 50).validity
    assert dict(found.hypotheses)["Gaussian weights, all learned"] == gaussian
    assert found.status == "theorem"  # of the generalised linear model, for any prior


@pytest.mark.parametrize(("rows", "columns", "enough"), [(60, 3, True), (59, 3, False), (400, 20, True), (20, 20, False)])
def test_real_inputs_need_twenty_rows_for_every_column(rows, columns, enough):
    found = assess(DataInputs(np.random.default_rng(0).standard_normal((rows, columns))), DeepNetwork("tanh", noise=0.1))
    text, holds = found.hypotheses[-1]
    assert f"({rows}/{columns})" in text and holds == enough


@pytest.mark.parametrize("status", ["theorem", "replica result", "extension verified numerically"])
def test_features_are_no_theorem(status):
    raw = Validity(status, "what was said of the target", (("odd", True),))
    for centred in (True, False):
        data, own = assess_features(raw, centred, False), assess_features(raw, centred, True)
        assert data.status == "extension verified numerically" and "real inputs" in data.reason
        assert data.hypotheses == own.hypotheses == (("odd", True), ("centred features or kernel", centred))
        if not centred:
            assert own.status == "extension verified numerically" and "intercept" in own.reason
        elif status == "extension verified numerically":
            assert (own.status, own.reason) == (raw.status, raw.reason)
        else:
            assert own.status == "replica result" and "features" in own.reason
