"""SGD itself beside its equations: every term of them moves a simulation as it says."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.numerics.keys import LATENTS
from gaussequiv.problems.online_sgd.instance import instance_of
from gaussequiv.problems.online_sgd.training import SAMPLES, Source, measured_errors, train
from gaussequiv.store.halfway import Halfway

GAIN = 2**-0.5
TIMES = (0.5, 2.0, 6.0)
N, TRIALS = 300, 16


def task(**changes):
    networks = {"student": ge.TwoLayer("erf", 2, gain=GAIN), "teacher": ge.TwoLayer("erf", 2, readout="ones", gain=GAIN)}
    return ge.OnlineSGD(**(networks | {"rate": 0.4, "readout_rate": 0.3, "dimension": N, "instance": 1} | changes))


def agrees(problem, size=N, finite=8.0):
    """Means of 16 trials within 4 standard errors and `finite`/N of the theory, and no verdict by chance: the error has fallen."""
    theory = ge.solve(problem, time=TIMES, N=size)
    trials = ge.simulate(problem, time=TIMES, N=size, trials=TRIALS, seed=2, test_samples=4000)
    for name in ("clean_error", "Q", "R", "readout"):
        value, mean, error = theory[name].values, trials[f"{name}_mean"].values, trials[f"{name}_stderr"].values
        scale = np.abs(value).max()
        assert np.all(np.abs(mean - value) <= 4 * error + finite / size * scale), name
    assert theory.test_error[0] > 1.3 * theory.test_error[-1]
    return theory


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"readout_rate": 0.0},
        {"noise": 0.3},
        {"weight_decay": 0.3},
        {"batch": 4, "rate": 1.0},
        {"generator": ge.RandomGenerator("sign", latent_ratio=0.5)},
        {"generator": ge.RandomGenerator("relu", latent_ratio=0.5)},
        {"generator": ge.RandomGenerator(("sign", "sign"), latent_ratio=0.5), "data": "twin"},
    ],
    ids=["iid", "first layer", "noise", "decay", "batches", "sign generator", "relu generator", "twin of a deep one"],
)
def test_every_term_moves_training_as_the_equations_say(changes):
    agrees(task(**changes))


@pytest.mark.parametrize("changes", [{"noise": 0.3}, {"weight_decay": 0.3}, {"batch": 4}, {"readout_rate": 0.0}])
def test_every_term_is_more_than_the_errors_allowed(changes):
    """Else the test above could not see it."""
    with_it, without = (ge.solve(problem, time=TIMES, N=N) for problem in (task(**changes), task()))
    moved = max(
        float(np.abs(with_it[name] - without[name]).max() / np.abs(without[name]).max()) for name in ("Q", "clean_error", "readout")
    )
    assert moved > 2 * 8.0 / N


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_other_activations_too(activation):
    networks = {"student": ge.TwoLayer(activation, 2), "teacher": ge.TwoLayer(activation, 2, readout="ones")}
    agrees(task(rate=0.1, readout_rate=0.1, **networks), finite=12.0)


def test_records_do_not_depend_on_one_another():
    problem = task(noise=0.1, batch=3)
    instance = instance_of(problem, 50)
    few, v_few = train(problem, instance, Source(problem, instance, False, (0, 0)), np.array([40]))
    many, v_many = train(problem, instance, Source(problem, instance, False, (0, 0)), np.array([0, 1, 7, 40]))
    assert few[0] == pytest.approx(many[-1], rel=1e-9) and v_few[0] == pytest.approx(v_many[-1], rel=1e-9)
    assert np.array_equal(many[0], instance.w)


@pytest.mark.parametrize("batch", [1, 3, 1500])
def test_training_goes_on_from_every_state_that_it_offers(batch):
    """Blocks, batches and records are cut in different places; a state is not changed by what comes after it."""
    problem = task(batch=batch, data="twin", generator=ge.RandomGenerator("sign"), dimension=20)
    instance, steps, made = instance_of(problem, 20), np.array([0, 3, 700 if batch < 10 else 12]), []

    class Listed(Halfway):
        def offer(self, make):
            made.append(make)

    source = Source(problem, instance, True, (0, 3))
    whole = train(problem, instance, source, steps, Listed())
    assert len(made) > 4
    for make in made[:: max(len(made) // 8, 1)]:
        rest = train(problem, instance, source, steps, Halfway(make()))
        assert all(one.tobytes() == other.tobytes() for one, other in zip(whole, rest, strict=True))


def test_one_step_by_hand():
    problem = task(noise=0.1, weight_decay=0.2, batch=2)
    instance = instance_of(problem, 50)
    source = Source(problem, instance, False, (5,))
    (w,), (v,) = train(problem, instance, source, np.array([1]))
    x, _, y = (part[:2] for part in source.block(0, LATENTS))
    lam = instance.w @ x.T / np.sqrt(50)
    g = problem.student.activation(GAIN * lam)
    missed = instance.v @ g - y
    slope = GAIN * 2 / np.sqrt(np.pi) * np.exp(-((GAIN * lam) ** 2))
    pull = (instance.v[:, None] * slope * missed) @ x / 2
    assert w == pytest.approx(instance.w - 0.4 / np.sqrt(50) * pull - 0.4 * 0.2 / 50 * instance.w, rel=1e-10)
    assert v == pytest.approx(instance.v - 0.3 / 50 * (g @ missed / 2 + 0.2 * instance.v), rel=1e-10)


def test_the_twin_has_the_moments_of_the_generator():
    problem = task(generator=ge.RandomGenerator("relu", latent_ratio=0.5))
    instance = instance_of(problem, 20)
    twin = Source(problem, instance, True, (1,))
    x = np.concatenate([twin.block(i, LATENTS)[0] for i in range(40)])
    spread = np.cov(x.T, bias=True) - instance.moments.omega
    assert np.abs(spread).max() < 5 * np.diag(instance.moments.omega).max() * np.sqrt(2 / (40 * SAMPLES))
    assert np.abs(x.mean(axis=0)).max() < 5 * np.sqrt(np.diag(instance.moments.omega).max() / (40 * SAMPLES))


def test_errors_are_those_of_the_overlaps_on_iid_inputs():
    """Fresh samples measure what the closed form says of the same weights."""
    problem = task()
    instance = instance_of(problem, 200)
    measured = measured_errors(problem, Source(problem, instance, False, (3,)), instance.w[None], instance.v[None], 40_000)
    said = float(ge.solve(problem, time=[0.0], N=200).clean_error[0])
    assert measured["clean_error"][0] == pytest.approx(said, rel=5 * np.sqrt(3 / 40_000))
