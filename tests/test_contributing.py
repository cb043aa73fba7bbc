"""The templates of CONTRIBUTING.md run."""

import re
from pathlib import Path

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.reproduce.reproduce import reproduce
from gaussequiv.testing import check_channel, check_learner, check_loss, check_prior

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"


def template(name):
    """What the one code block that defines a name defines it as."""
    (block,) = [
        part.split("```")[0] for part in PAGE.read_text().split("```python\n")[1:] if re.search(rf"^(class )?{name}\b( =|\(|:)", part, re.M)
    ]
    space = {"__name__": "template"}
    exec(compile(block, str(PAGE), "exec"), space)
    return space[name]


def test_every_block_is_closed():
    fences = [line for line in PAGE.read_text().splitlines() if line.startswith("```")]
    assert all((line == "```") == bool(i % 2) for i, line in enumerate(fences)), fences


def test_a_problem_of_another_kind_meets_every_verb(tmp_path):
    problem = template("SeenInNoise")(2.0)
    both = ge.compare(problem, snr=[0.5, 2.0], d=2000, trials=16, allowance=0.0)
    assert both.attrs["verdict"] == "agree", both.attrs["reason"]
    assert both.mse.values[0] == pytest.approx(2 / (1 + 2 * np.array([0.5, 2.0])))
    assert both.mse.attrs["long_name"] == "mean squared error of a component"
    loaded = ge.load(ge.save(ge.simulate(problem, [1.0], d=10, trials=3, seed=4), tmp_path / "seen.nc"))
    assert ge.rerun(loaded, parts={"seen_in_noise": problem}).mse.values.tolist() == loaded.mse.values.tolist()
    with pytest.raises(ge.ArgumentError, match=r"`kind` must be one of .* but kind='seen_in_noise'"):
        ge.rerun(loaded)
    assert ge.sweep(problem, [1.0], {"rho": [1.0, 2.0]}).mse.values.ravel() == pytest.approx([0.5, 2 / 3])
    with pytest.raises(ge.ArgumentError, match="must have an algorithm"):
        ge.track(problem, 1.0, d=10)
    assert ge.plot.curve(both).get_xlabel() == "precision of the noise"


def test_an_observable_of_a_wrong_shape_is_named():
    problem = template("SeenInNoise")
    other = type("Other", (problem,), {"theory": lambda self, points, size=None: ge_curve({"mse": np.ones((2, 3))})})
    with pytest.raises(ge.ArgumentError, match="Observable `mse` must have the dimensions"):
        ge.solve(other(), [1.0, 2.0])
    short = type("Short", (problem,), {"theory": lambda self, points, size=None: ge_curve({"mse": np.ones(3)})})
    with pytest.raises(ge.ArgumentError, match="one value for each of the 2 points"):
        ge.solve(short(), [1.0, 2.0])


def ge_curve(observables):
    from gaussequiv.curve import Curve

    return Curve(observables)


TANH = ge.DeepNetwork("tanh", noise=0.1)


def test_a_loss_keeps_its_contract_and_agrees_with_simulation(tmp_path):
    loss = template("Insensitive")
    check_loss(loss(0.3))
    both = ge.compare(ge.Problem(TANH, learner=ge.ERM(loss(0.3), lam=0.2)), [1.0, 3.0], d=200, trials=16, allowance=3.0)
    assert both.attrs["verdict"] == "agree", both.attrs["reason"]
    tube, absolute = (ge.solve(ge.Problem(TANH, learner=ge.ERM(one, lam=0.2)), [2.0]).test_error for one in (loss(1e-9), "absolute"))
    assert float(tube[0]) == pytest.approx(float(absolute[0]), rel=1e-8)
    loaded = ge.load(ge.save(ge.solve(ge.Problem(TANH, learner=ge.ERM(loss(0.3), lam=0.2)), [2.0]), tmp_path / "tube.nc"))
    assert ge.rerun(loaded, parts={"insensitive": loss(0.3)}).test_error.values.tolist() == loaded.test_error.values.tolist()


LEARNERS = [ge.BayesOptimal(), ge.Ridge(0.5, intercept=True), ge.Huber(0.5, intercept=True)]


def test_a_channel_keeps_its_contract_and_agrees_with_simulation(tmp_path):
    channel = template("Censored")
    check_channel(channel())
    check_channel(channel(0.3, -0.5))
    problem = ge.Problem(ge.LinearTarget(labels=channel(0.2)), learner=LEARNERS)
    both = ge.compare(problem, [1.5], d=80, trials=16, allowance=2.0, test_samples=1000, normalise_teacher=True)
    assert both.attrs["verdict"] == "agree", both.attrs["reason"]
    never, gaussian = (
        ge.solve(ge.Problem(target, learner=LEARNERS), [0.5, 2.0]).test_error.values
        for target in (ge.LinearTarget(labels=channel(0.3, -40.0)), ge.LinearTarget(noise=0.3))
    )
    assert never == pytest.approx(gaussian, rel=1e-9)
    labels = channel(0.2)
    loaded = ge.load(ge.save(ge.solve(ge.Problem(ge.LinearTarget(labels=labels)), [1.0]), tmp_path / "censored.nc"))
    assert ge.rerun(loaded, parts={str(labels): labels}).test_error.values.tolist() == loaded.test_error.values.tolist()


def test_a_prior_keeps_its_contract_and_agrees_with_simulation(tmp_path):
    prior, learners = template("NearlySparse"), [ge.BayesOptimal(), ge.Lasso(0.05)]

    def problem(law):
        return ge.Problem(ge.LinearTarget(law, noise=0.01), learner=learners)

    check_prior(prior())
    check_prior(prior(0.3, 0.1))
    both = ge.compare(problem(prior()), [0.8], d=300, trials=32, allowance=3.0, normalise_teacher=True)
    assert both.attrs["verdict"] == "agree", both.attrs["reason"]
    for own, named in ((prior(0.1, 0.0), "gauss-bernoulli:0.1"), (prior(0.3, 1.0), "gaussian")):
        errors = [ge.solve(problem(law), [0.3, 0.8]).test_error.values for law in (own, named)]
        assert errors[0] == pytest.approx(errors[1], rel=1e-9)
    loaded = ge.load(ge.save(ge.solve(problem(prior()), [0.8]), tmp_path / "prior.nc"))
    assert ge.rerun(loaded, parts={"nearly_sparse": prior()}).test_error.values.tolist() == loaded.test_error.values.tolist()


def test_a_learner_of_matrices_keeps_its_contract_and_agrees_with_simulation(tmp_path):
    learner = template("Committee")
    check_learner(learner())
    problem = ge.Problem(TANH, learner=learner())
    both = ge.compare(problem, [0.5, 2.0], d=200, trials=16, allowance=3.0)
    assert both.attrs["verdict"] == "agree", both.attrs["reason"]
    loaded = ge.load(ge.save(ge.solve(problem, [2.0]), tmp_path / "committee.nc"))
    for part in (learner, learner()):
        assert ge.rerun(loaded, parts={"committee": part}).Q.values.tolist() == loaded.Q.values.tolist()


@pytest.mark.parametrize("inputs", [ge.GaussianInputs(), ge.GaussianInputs("two-level:9:0.3:0.2")], ids=str)
def test_the_learner_of_matrices_is_ridge_where_it_must(inputs):
    learner, alpha = template("Committee"), [0.7, 1.0, 2.0]
    one, many = learner((0.3, 0.3, 0.3), 0.3), learner((0.1, 1.0, 10.0), 0.0)
    ridge = ge.solve(ge.Problem(TANH, inputs, [ge.Ridge(lam) for lam in (0.3, 0.1, 1.0, 10.0)]), alpha)
    assert ge.solve(ge.Problem(TANH, inputs, one), alpha).test_error.values == pytest.approx(ridge.test_error.values[0], rel=1e-8)
    Q = ge.solve(ge.Problem(TANH, inputs, many), alpha).Q.values
    assert np.diagonal(Q, axis1=1, axis2=2).T == pytest.approx(ridge.q.values[1:], rel=1e-8)


def test_a_paper_is_reproduced(tmp_path):
    paper = template("PAPER")
    (made,) = reproduce(paper, fast=True, output=tmp_path, progress=False)
    assert all(check.agrees for check in made.checks)
    assert (np.abs(made.data["simulation"].z) < 4).all()
    assert {"hastie2022.md", "hastie2022-descent.png", "hastie2022-descent-theory.nc"} < {path.name for path in tmp_path.iterdir()}


def test_an_activation_with_a_closed_form_meets_theory_kernels_and_samplers():
    from gaussequiv._jax import float64_scope
    from gaussequiv.testing import check_activation

    phi = template("Cosine")(0.7)
    check_activation(phi)
    plain = ge.Activation(phi.function)
    own, other = (ge.solve(ge.Problem(ge.DeepNetwork(one, noise=0.1, bias_variance=0.2)), [1.0]).test_error for one in (phi, plain))
    assert own.values == pytest.approx(other.values, rel=1e-9)
    rows = np.random.default_rng(0).standard_normal((5, 4))
    assert ge.NTK(phi).block(rows) == pytest.approx(ge.NTK(plain).block(rows), rel=1e-9)
    with float64_scope():
        assert np.asarray(phi.traced()(rows)) == pytest.approx(phi(rows), rel=1e-13)
