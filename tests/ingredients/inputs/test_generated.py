"""Inputs of generators: exact where the generator is linear, else beside simulations of the true generator."""

import json

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.generators.base import DrawnGenerator
from gaussequiv.numerics.keys import TRAIN
from gaussequiv.problems.online_sgd.instance import instance_of
from gaussequiv.problems.online_sgd.training import Source

RNG = np.random.default_rng(0)
TALL = RNG.standard_normal((60, 30)) / np.sqrt(30)
ROTATION = np.linalg.qr(RNG.standard_normal((40, 40)))[0]
LEARNERS = [ge.Ridge(0.1), ge.Ridge("optimal"), ge.Huber(0.3)]
ALPHA = np.array([0.4, 1.0, 3.0])


def tall(c):
    return c @ TALL.T


def rotated(c):
    return c @ ROTATION.T


def errors(problem, alpha):
    return ge.solve(problem, alpha=alpha).test_error.values


def test_no_layer_is_isotropic_inputs():
    target = ge.DeepNetwork("tanh", noise=0.2)
    generated = ge.Problem(target, ge.GeneratorInputs(ge.RandomGenerator(())), LEARNERS)
    assert errors(generated, ALPHA) == pytest.approx(errors(ge.Problem(target, learner=LEARNERS), ALPHA), rel=1e-8)


def test_a_linear_generator_is_a_linear_feature_map_of_its_latents():
    """x = F c seen by the student, labels of c: n/N = (n/D)/2."""
    target = ge.DeepNetwork("tanh", noise=0.2)
    generated = ge.Problem(target, ge.GeneratorInputs(tall, 30), LEARNERS)
    features = ge.Problem(target, learner=LEARNERS, features=ge.GivenFeatures([TALL.T], activations="linear"))
    assert errors(generated, ALPHA) == pytest.approx(errors(features, 2 * ALPHA), rel=1e-7)


def test_features_of_generated_inputs_are_deeper_features_of_the_latents():
    F = RNG.standard_normal((60, 50)) / np.sqrt(60)
    target = ge.DeepNetwork("tanh", noise=0.2, task="classification")
    learner = ge.Ridge(0.1)
    generated = ge.Problem(target, ge.GeneratorInputs(tall, 30), learner, ge.GivenFeatures([F], activations="erf"))
    features = ge.Problem(target, learner=learner, features=ge.GivenFeatures([TALL.T, F], activations=("linear", "erf")))
    assert errors(generated, ALPHA) == pytest.approx(errors(features, 2 * ALPHA), rel=1e-7)


@pytest.mark.parametrize(
    "features",
    [
        ge.NNGP("tanh"),
        ge.RandomFeatures("erf", ratio=2, spectrum="deterministic"),
        ge.RandomFeatures(("tanh", "relu"), ratio=1.5, spectrum="deterministic"),
    ],
    ids=["kernel", "one layer", "two layers"],
)
def test_students_of_rotated_latents_are_those_of_the_latents(features):
    target = ge.DeepNetwork("tanh", noise=0.2)
    generated = ge.Problem(target, ge.GeneratorInputs(rotated, 40), ge.Ridge(0.1), features)
    plain = ge.Problem(target, learner=ge.Ridge(0.1), features=features)
    found = ge.solve(generated, alpha=ALPHA, d=40).test_error.values
    assert found == pytest.approx(ge.solve(plain, alpha=ALPHA, d=40).test_error.values, rel=1e-6)


def test_labels_of_the_inputs_are_those_of_their_covariance():
    target = ge.DeepNetwork("tanh", noise=0.2)
    learners = [*LEARNERS, ge.BayesOptimal()]
    generated = ge.Problem(target, ge.GeneratorInputs(tall, 30, target_sees="inputs"), learners)
    plain = ge.Problem(target, ge.GaussianInputs(covariance=TALL @ TALL.T), learners)
    assert errors(generated, ALPHA) == pytest.approx(errors(plain, ALPHA), rel=1e-8)


def test_what_the_inputs_cannot_say_is_noise():
    """One layer of signs: E[c|x] carries tr(Phi' Omega^-1 Phi)/D of the latents' variance."""
    inputs = ge.GeneratorInputs(ge.RandomGenerator("sign", latent_ratio=0.5), size=80)
    equivalent = ge.Problem(ge.LinearTarget(noise=0.1), inputs, ge.Ridge(0.1)).equivalent()
    moments = inputs.at(None).generator.moments()
    carried = np.trace(np.linalg.solve(moments.omega, moments.phi) @ moments.phi.T) / 40
    assert equivalent.unexplained == pytest.approx(1 - carried, rel=1e-9)
    assert "latents" in equivalent.card()


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("sees", ["latents", "inputs"])
def test_curves_are_those_of_the_true_generator(task, sees):
    """Ridge and a convex loss on relu outputs, N = 150, 24 teachers: within 4 standard errors and 3% for the size."""
    target = ge.DeepNetwork("tanh", noise=0.1, task=task)
    inputs = ge.GeneratorInputs(ge.RandomGenerator("relu", latent_ratio=0.6), target_sees=sees)
    learners = [ge.Ridge(0.2), ge.ERM("huber" if task == "regression" else "logistic", 0.2)]
    result = ge.compare(ge.Problem(target, inputs, learners), alpha=[0.5, 2.0], d=150, trials=24, seed=1)
    theory, found = (result.test_error.sel(source=source).values for source in ("theory", "simulation"))
    spread = result.test_error_stderr.sel(source="simulation").values
    assert np.all(np.abs(found - theory) < 4 * spread + 0.03 * theory)
    assert np.all(result.converged)


def test_a_mean_that_is_left_acts_as_an_intercept():
    """Labels with a constant part b0 = 0.8, no intercept fitted: the outputs' mean learns it."""
    target = ge.LinearTarget(noise=0.1, offset=0.8)
    generator = ge.RandomGenerator("relu", latent_ratio=0.6)
    learner = ge.Ridge(0.2)
    inputs = ge.GeneratorInputs(generator, centred=False, size=100)
    problem = ge.Problem(target, inputs, learner)
    centred = ge.Problem(target, ge.GeneratorInputs(generator, size=100), learner)
    assert inputs.mean_square == pytest.approx(float(np.mean(inputs.centre(100) ** 2)))
    assert problem.equivalent().input_mean_square > 0.1 and centred.equivalent().input_mean_square == 0
    result = ge.compare(problem, alpha=[2.0], d=100, trials=16, seed=0)
    theory, found = (float(result.test_error.sel(source=source)[0]) for source in ("theory", "simulation"))
    assert abs(found - theory) < 4 * float(result.test_error_stderr.sel(source="simulation")[0]) + 0.03 * theory


def test_the_mean_square_is_that_of_the_mean():
    """|E x|^2/N of 100,000 samples, whose own noise adds tr(Omega)/(N samples); not the second moment of x."""
    inputs = ge.GeneratorInputs(ge.RandomGenerator("relu", latent_ratio=0.6), centred=False, size=100)
    x = inputs.at(100).generator.outputs(np.random.default_rng(0).standard_normal((100_000, 60)))
    assert inputs.mean_square == pytest.approx(float(np.mean(x.mean(axis=0) ** 2)), rel=0.01)
    assert inputs.mean_square < 0.5 * float(np.mean(x**2))


@pytest.mark.parametrize("sees", ["latents", "inputs"])
def test_students_of_outputs_with_their_mean_learn_as_the_curves_say(sees):
    """A deep target with a random constant part, outputs of relu units as they are: 32 trials at N = 120, 4 standard errors and 3%."""
    inputs = ge.GeneratorInputs(ge.RandomGenerator("relu", latent_ratio=0.5), centred=False, size=120, target_sees=sees)
    problem = ge.Problem(ge.DeepNetwork("relu", noise=0.1), inputs, ge.Ridge(0.1))
    result = ge.compare(problem, [0.5, 2.0], d=120, trials=32, seed=0)
    theory, found = (result.test_error.sel(source=source).values for source in ("theory", "simulation"))
    assert np.all(np.abs(found - theory) < 4 * result.test_error_stderr.sel(source="simulation").values + 0.03 * theory)


@pytest.mark.parametrize("sees", ["latents", "inputs"])
def test_normalised_outputs_are_another_unit_of_the_penalty(sees):
    generator = ge.RandomGenerator("relu", latent_ratio=0.5)
    plain = ge.GeneratorInputs(generator, size=80, target_sees=sees, centred=False)
    unit = ge.GeneratorInputs(generator, size=80, target_sees=sees, centred=False, normalise=True)
    values = plain.modes(80)[0]
    square = float(values.mean())
    assert square < 0.4 and unit.modes(80)[0] == pytest.approx(values / square, rel=1e-12)
    assert unit.mean_square == pytest.approx(plain.mean_square / square, rel=1e-12)
    rows = unit.rows((0, 0), 80, 4096, 0)
    x = np.concatenate([rows.block(TRAIN, start, start + 1024) for start in range(0, 4096, 1024)])
    assert x.var(axis=0).mean() == pytest.approx(1, rel=0.05)
    assert x.mean(axis=0) == pytest.approx(unit.centre(80), abs=5 / np.sqrt(4096) * 1.5)
    if sees == "latents":  # else labels change as well
        target = ge.LinearTarget(noise=0.1)
        one = ge.solve(ge.Problem(target, plain, ge.Ridge(0.2 * square)), ALPHA, d=80).test_error.values
        assert ge.solve(ge.Problem(target, unit, ge.Ridge(0.2)), ALPHA, d=80).test_error.values == pytest.approx(one, rel=1e-9)
        simulated = [
            ge.simulate(ge.Problem(target, inputs, ge.Ridge(lam)), [1.0], d=80, trials=2, seed=0).test_error.values
            for inputs, lam in ((plain, 0.2 * square), (unit, 0.2))
        ]
        assert simulated[1] == pytest.approx(simulated[0], rel=1e-7)
    trained = ge.GeneratorInputs(ge.load_generator("digits-vae"), normalise=True)
    assert trained.modes(None)[0] == pytest.approx(ge.GeneratorInputs(ge.load_generator("digits-vae", normalise=True)).modes(None)[0])


class Poor(ge.RandomGenerator, DrawnGenerator):
    """Forty outputs of ten latents whose moments a user gives."""

    def __init__(self, **changes):
        super().__init__("sign", latent_ratio=0.25)
        drawn = super().draw(40, np.random.default_rng(0))
        for name, value in {"changes": changes, "own": drawn, "dimension": 40, "latent_dim": 10}.items():
            object.__setattr__(self, name, value)

    def draw(self, size, rng):
        return self

    def outputs(self, latents):
        return self.own.outputs(latents)

    def moments(self):
        return self.own.moments()._replace(**self.changes)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x: x[:, :7], r"must give outputs of shape \(1024, 40\), but their shape is \(1024, 7\)"),
        (lambda x: np.where(x[:, :1] > 0, np.nan, x), r"must give finite outputs, but \d+ of 40960"),
    ],
)
def test_outputs_of_a_users_generator_are_looked_at_wherever_it_is_sampled(wrong, words, monkeypatch):
    generator = Poor()
    right = generator.own.outputs
    monkeypatch.setattr(Poor, "outputs", lambda self, latents: wrong(right(latents)))
    simulated = ge.Problem(ge.LinearTarget(noise=0.1), ge.GeneratorInputs(generator), ge.Ridge(0.1))
    online = ge.OnlineSGD(generator=generator, dimension=40)
    for call in (
        lambda: ge.simulate(simulated, [30.0], trials=1),
        lambda: ge.diagnose(generator, samples=10_000),
        lambda: Source(online, instance_of(online, 40), False, (0, 0)).block(0, TRAIN),
    ):
        with pytest.raises(ge.ArgumentError, match=words):
            call()


def test_covariances_of_too_few_samples_are_told():
    c = np.random.default_rng(0).standard_normal((25, 10))
    own = Poor().own
    x = own.outputs(c)
    difference = (x.T @ x - own.moments().phi @ c.T @ c @ own.moments().phi.T / 4) / 25
    target = ge.LinearTarget(noise=0.1)
    for changes, words in (
        ({"omega": difference, "samples": 25}, r"\d+ negative eigenvalues of 40, down to -0\.\d+ of the largest: moments of 25 samples"),
        ({"omega": x.T @ x / 25, "samples": 25}, "40 outputs is that of 25 samples, of which 15"),
    ):
        with pytest.warns(ge.AccuracyWarning, match=words):
            curve = ge.solve(ge.Problem(target, ge.GeneratorInputs(Poor(**changes)), ge.Ridge(0.1)), [1.0])
        assert np.isfinite(curve.test_error).all()
        with pytest.warns(ge.AccuracyWarning, match=words):
            assert (instance_of(ge.OnlineSGD(generator=Poor(**changes), dimension=40), 40).modes.rho >= 0).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"phi": np.ones((10, 40))}, r"moments `phi` of shape \(40, 10\), but its shape is \(10, 40\)"),
        ({"mean": np.full(40, np.nan)}, "finite moments, but 40 of `mean` are not"),
        ({"omega": np.triu(np.ones((40, 40)))}, "a symmetric covariance"),
        ({"omega": np.zeros((40, 40))}, "that is not zero"),
    ],
)
def test_moments_that_are_none_are_named(changes, words):
    problem = ge.Problem(ge.LinearTarget(noise=0.1), ge.GeneratorInputs(Poor(**changes)), ge.Ridge(0.1))
    with pytest.raises(ge.ArgumentError, match=words):
        ge.solve(problem, [1.0])


def test_the_card_lists_the_hypotheses_of_generators():
    def listed(generator, target=None, **fields):
        target = ge.LinearTarget(noise=0.1) if target is None else target
        return dict(ge.Problem(target, ge.GeneratorInputs(generator, size=40, **fields), ge.Ridge(0.1)).equivalent().validity.hypotheses)

    smooth = "an activation twice differentiable with bounded derivatives"
    assert listed(ge.RandomGenerator("erf")) == {"a generator of one random layer": True, smooth: True, "the target sees the latents": True}
    assert not listed(ge.RandomGenerator("sign"))[smooth]
    deep = listed(ge.RandomGenerator(("erf", "erf")), target_sees="inputs")
    assert deep == {"a generator of one random layer": False, "the target sees the latents": False}
    behind = listed(ge.RandomGenerator("erf"), ge.DeepNetwork("relu", noise=0.1))
    assert behind["isotropic Gaussian latents"] and not behind["odd activations"]
    promise = str(ge.Problem(ge.LinearTarget(noise=0.1), ge.GeneratorInputs(ge.load_generator("digits-vae")), ge.Ridge(0.1)).validity())
    assert "deep network" not in promise and "`diagnose` measures its fields" in promise


def test_descriptions_and_results_come_back(tmp_path):
    random = ge.Problem(ge.LinearTarget(), ge.GeneratorInputs(ge.RandomGenerator("sign", latent_ratio=0.5), size=60, seed=3), ge.Ridge(0.1))
    saved = ge.save(ge.solve(random, alpha=[1.0]), tmp_path / "random.json")
    assert ge.rerun(ge.load(saved)).test_error.values == pytest.approx(ge.load(saved).test_error.values, rel=1e-12)
    own = ge.FunctionGenerator(tall, 30, name="tall")
    problem = ge.Problem(ge.LinearTarget(), ge.GeneratorInputs(own), ge.Ridge(0.1))
    saved = ge.save(ge.solve(problem, alpha=[1.0]), tmp_path / "own.json")
    described = json.loads(json.dumps(problem.to_dict()))["inputs"]
    assert described["generator"]["digest"] == own.digest and described["target_sees"] == "latents"
    for part in (own, tall):
        again = ge.rerun(ge.load(saved), parts={"tall": part})
        assert again.test_error.values == pytest.approx(ge.load(saved).test_error.values, rel=1e-9)
    with pytest.raises(ge.ArgumentError, match="outputs are others"):
        ge.rerun(ge.load(saved), parts={"tall": lambda c: 2 * np.tanh(tall(c))})
    with pytest.raises(ge.ArgumentError, match="'tall' again"):
        ge.rerun(ge.load(saved))
    with pytest.raises(ge.ArgumentError, match="`inputs` must be those of the result, of generator"):
        ge.rerun(ge.load(saved), inputs=ge.GeneratorInputs(lambda c: np.sin(tall(c)), 30))
    assert ge.rerun(ge.load(saved), inputs=ge.GeneratorInputs(own)).test_error.values == pytest.approx(ge.load(saved).test_error.values)


def test_sweeps_vary_its_fields():
    inputs = ge.GeneratorInputs(ge.RandomGenerator("sign", latent_ratio=0.5), size=60)
    problem = ge.Problem(ge.LinearTarget(noise=0.1), inputs, ge.Ridge(0.1))
    curve = ge.sweep(problem, [2.0], {"target_sees": ["latents", "inputs"]})
    assert float(curve.test_error[1, 0]) < float(curve.test_error[0, 0])


def test_wrong_descriptions_are_refused_by_name():
    generator = ge.RandomGenerator("sign")
    with pytest.raises(ge.ArgumentError, match="load_generator"):
        ge.GeneratorInputs("digits-vae")
    with pytest.raises(ge.ArgumentError, match="`latent_dim` must be given"):
        ge.GeneratorInputs(tall)
    with pytest.raises(ge.ArgumentError, match="`latent_dim` must be left out"):
        ge.GeneratorInputs(generator, 10)
    with pytest.raises(ge.ArgumentError, match="`target_sees`"):
        ge.GeneratorInputs(generator, target_sees="latent")
    with pytest.raises(ge.ArgumentError, match="`learner` must be one that learns from rows"):
        ge.Problem(ge.LinearTarget(), ge.GeneratorInputs(generator), ge.BayesOptimal())
    hidden = ge.Problem(ge.DeepNetwork("tanh", noise=0.1), ge.GeneratorInputs(generator, size=20), ge.Ridge(0.1))
    for verb in (ge.thresholds, ge.information, ge.sample_posterior, ge.fixed_points):
        with pytest.raises(ge.ArgumentError, match="`problem` must be one whose target sees the inputs"):
            verb(hidden, **({} if verb is ge.thresholds else {"alpha": 1.0}))
    with pytest.raises(ge.ArgumentError, match="`d` must be 60"):
        ge.solve(ge.Problem(ge.LinearTarget(), ge.GeneratorInputs(tall, 30), ge.Ridge(0.1)), alpha=1.0, d=50)


def test_noise_of_estimated_moments_does_not_count_as_signal():
    """Signs, N = 300: the curve of 65,536 samples (4% error of Omega) is within .25% of that of the closed moments, where Phi's own noise,
    taken for signal, would make it .4% too low."""
    drawn = ge.RandomGenerator("sign", latent_ratio=0.5).draw(300, np.random.default_rng(0))
    sampled = ge.FunctionGenerator(drawn.outputs, 150, tolerance=0.05)
    exact = ge.FunctionGenerator(drawn.outputs, 150, tolerance=0.5)
    object.__setattr__(exact, "moments", drawn.moments)
    curves = [
        errors(ge.Problem(ge.LinearTarget(noise=0.05), ge.GeneratorInputs(one), ge.Ridge(0.01)), [0.5, 2.0, 8.0])
        for one in (sampled, exact)
    ]
    assert sampled.moments().samples == 65_536
    assert curves[0] == pytest.approx(curves[1], rel=2.5e-3)
