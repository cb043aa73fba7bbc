"""Properties that hold for every problem, on seeded random ones: optimality, monotony, scale covariance, limits, identities."""

import numpy as np
import pytest
from scipy import special

import gaussequiv as ge
from gaussequiv.ingredients.activations.base import names

NAMES = [name for name in names() if ":" not in name] + ["hermite:2", "hermite:3", "leaky_relu:0.3"]
ALPHA = np.geomspace(1e-4, 1e6, 61)
DIVERGES = pytest.mark.filterwarnings("ignore:.* did not converge")  # alpha = 1 with lam = 0; the status is tested below


def random_inputs(rng):
    kind = rng.integers(6)
    spectrum = (
        "identity",
        f"identity:{10.0 ** rng.uniform(-2, 1):.4g}",
        f"power-law:{rng.uniform(0, 0.5):.3f}",
        f"two-level:{10.0 ** rng.uniform(0, 1):.4g}:{10.0 ** rng.uniform(-3, 0):.4g}:{rng.uniform(0.05, 0.95):.3f}",
        ge.MarchenkoPastur(10.0 ** rng.uniform(-1, 1), cells=100),
        np.concatenate([10.0 ** rng.uniform(-2, 1, 30), np.zeros(rng.integers(0, 10))]),
    )[kind]
    return ge.GaussianInputs(spectrum=spectrum, mean=float(rng.choice([0.0, 0.8])))


def random_target(rng, task="regression", largest_depth=20, **fixed):
    depth = int(rng.integers(0, largest_depth + 1))
    layers = [str(rng.choice(NAMES)) for _ in range(depth)]
    if sum(layer.startswith("hermite") for layer in layers) > 1:  # towers of polynomials overflow
        layers = [layer if not layer.startswith("hermite") else "erf" for layer in layers]
    options = {
        "weight_variance": tuple(10.0 ** rng.uniform(-0.5, 0.3, depth)),
        "bias_variance": tuple(10.0 ** rng.uniform(-3, 0, depth)) if rng.random() < 0.5 else 0.0,
        "readout_variance": 10.0 ** rng.uniform(-2, 2),
        "readout_bias_variance": float(rng.choice([0.0, 0.3])),
        "noise": float(rng.choice([0.0, 1e-3, 0.1, 2.0])),
        "offset": None if task == "regression" or rng.random() < 0.3 else float(rng.choice([0.0, 0.3, 2.0])),
    }
    return ge.DeepNetwork(layers, task=task, **(options | fixed))


def random_problems(seed, count, task="regression", learner=None, **options):
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        yield ge.Problem(target=random_target(rng, task, **options), inputs=random_inputs(rng), learner=learner or ge.BayesOptimal())


def with_learner(problem, learner):
    return ge.Problem(target=problem.target, inputs=problem.inputs, learner=learner)


@pytest.mark.parametrize("part", range(4))
def test_ridge_at_tau_over_s_is_bayes_optimal(part):
    """Cui, Krzakala, Zdeborova 2023, below eq. 20: the posterior mean is ridge; any spectrum, activation, bias (derived)."""
    for index, problem in enumerate(random_problems(100 + part, 50)):
        alpha = 10.0 ** np.random.default_rng((7, part, index)).uniform(-4, 6, 5)
        e = problem.equivalent()
        learners = (ge.BayesOptimal(), ge.Ridge(e.lam_optimal), ge.Ridge("optimal"))
        error = ge.solve(with_learner(problem, learners), alpha=alpha).test_error.values
        np.testing.assert_allclose(error[1], error[0], rtol=1e-10, atol=0, err_msg=str(problem.to_dict()))
        np.testing.assert_allclose(error[2], error[0], rtol=1e-10, atol=0, err_msg=str(problem.to_dict()))


@DIVERGES
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_no_ridge_is_below_bayes(task):
    """Definition of the Bayes-optimal learner."""
    alpha = np.geomspace(1e-3, 1e4, 15)
    penalties = [ge.Ridge(lam) for lam in (0.0, 1e-6, 1e-2, 0.1, 1.0, 10.0, 1e3, 1e8)]
    for problem in random_problems(200, 30, task, largest_depth=4):
        best = ge.Ridge("optimal") if task == "regression" or problem.target.offset is not None else ge.Ridge(0.3)  # speed
        curves = ge.solve(with_learner(problem, (ge.BayesOptimal(), *penalties, best)), alpha=alpha)
        error = curves.test_error.where(curves.converged).values
        assert np.all(np.isfinite(error[0]))
        assert not np.any(error[1:] < error[0] * (1 - 1e-10)), problem.to_dict()
        # the optimal penalty is the best of the penalties
        assert best.lam != "optimal" or np.nanmax(error[-1] / np.nanmin(np.maximum(error[1:-1], 1e-300), axis=0)) <= 1 + 1e-9, (
            problem.to_dict()
        )


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_bayes_error_falls_from_the_prior_error_to_the_floor(task):
    """More data never hurts the Bayes-optimal learner; alpha -> 0 and infinity from the equivalent alone."""
    for problem in random_problems(300, 40, task, largest_depth=6):
        curve = ge.solve(problem, alpha=ALPHA[::3])
        error = curve.test_error.values
        assert np.all(np.diff(error) <= 1e-12 * error[:-1]), problem.to_dict()
        assert np.all(error >= curve.floor.values * (1 - 1e-12))
        assert bool(curve.converged.all())
        e = problem.equivalent()
        total = e.signal_variance + e.noise
        start = total
        if task == "classification":  # the constant predictor errs with probability Phi(-|b0|/sqrt(rho))
            b0, mass = e.offset_nodes()
            start = mass @ special.ndtr(-b0 / np.sqrt(total))
        nearly = ge.solve(problem, alpha=[1e-12, 1e11]).test_error.values
        assert nearly[0] == pytest.approx(start, rel=1e-4)
        assert nearly[1] - float(curve.floor[0]) <= 1e-4 * start
        q = curve.overlap.values
        assert np.all(np.diff(q) >= -1e-12)
        assert np.all((q >= 0) & (q <= 1 + 1e-12))


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e5])
def test_scale_covariance(factor):
    """y -> sqrt(c) y multiplies every squared error by c and leaves labels alone (change of variables)."""
    alpha = np.array([0.05, 0.9, 3.0, 200.0])
    for task in ("regression", "classification"):
        for index in range(20):
            rng = np.random.default_rng((400, index))
            base = {"readout_variance": 0.8, "readout_bias_variance": 0.1, "noise": 0.05, "offset": None}
            state = rng.bit_generator.state
            one = random_target(rng, task, 4, **base)
            rng.bit_generator.state = state
            two = random_target(rng, task, 4, **{key: value and value * factor for key, value in base.items()})
            inputs = random_inputs(rng)
            learners = (ge.BayesOptimal(), ge.Ridge(0.3), ge.Ridge("optimal" if one.offset is None and task == "regression" else 0.01))
            a = ge.solve(ge.Problem(target=one, inputs=inputs, learner=learners), alpha=alpha)
            b = ge.solve(ge.Problem(target=two, inputs=inputs, learner=learners), alpha=alpha)
            quantities = ["test_error", "clean_error", "floor", "excess_over_floor"]
            scale = 1.0
            if task == "regression":
                quantities += ["train_error", "q", "bias", "variance"]
                scale = factor
            for name in quantities:
                np.testing.assert_allclose(b[name], scale * a[name], rtol=1e-9, atol=1e-13 * scale, err_msg=f"{name} {one}")


@DIVERGES
@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("intercept", [None, True, False])
def test_ridge_over_the_whole_range(task, intercept):
    """Finite or an explicit status; identities of the bias-variance decomposition; training error below test error."""
    penalties = [ge.Ridge(lam, intercept) for lam in (0.0, 1e-12, 1e-6, 1e-3, 1.0, 1e3, 1e8)]
    alpha = np.append(ALPHA, [0.5, 1 - 1e-9, 1 + 1e-9, 2.0])
    for problem in random_problems(500, 20, task, largest_depth=3):
        curves = ge.solve(with_learner(problem, penalties), alpha=alpha)
        ok = curves.converged
        assert bool((np.isfinite(curves.test_error) | ~ok).all())
        assert float(ok.mean()) > 0.98
        assert float(curves.residual.max()) < 1e-8
        test, train = curves.test_error.where(ok, 1.0), curves.train_error.where(ok, 0.0)
        assert bool((train <= test * (1 + 1e-9) + 1e-15).all()), problem.to_dict()
        if task == "regression":
            excess = curves.bias + curves.variance
            np.testing.assert_allclose(excess.where(ok), curves.excess_over_floor.where(ok), rtol=1e-12)
            np.testing.assert_allclose((curves.floor + excess).where(ok), curves.test_error.where(ok), rtol=1e-12)
            assert bool((curves.bias.where(ok, 0.0) >= 0).all()) and bool((curves.variance.where(ok, 0.0) >= 0).all())


def test_alpha_one_without_penalty_has_a_status():
    """Cui, Krzakala, Zdeborova 2023, eq. 19: at alpha = 1, lam = 0, the error is infinite, and says so."""
    problem = ge.Problem(target=ge.DeepNetwork("erf", noise=0.1), learner=ge.Ridge(0.0))
    with pytest.warns(ge.ConvergenceWarning, match="1 of 3 points"):
        curve = ge.solve(problem, alpha=[0.5, 1.0, 2.0])
    assert curve.converged.values.tolist() == [True, False, True]
    assert np.isinf(curve.test_error.values[1]) or np.isnan(curve.test_error.values[1])


@pytest.mark.parametrize("lam", [0.01, 1.0])
def test_ridge_limits(lam):
    """alpha -> 0: the mean predictor; alpha -> infinity: the floor tau (Cui, Krzakala, Zdeborova 2023, eq. 19-20)."""
    for problem in random_problems(600, 30, largest_depth=4, learner=ge.Ridge(lam)):
        e = problem.equivalent()
        lam_scaled = ge.Ridge(lam * float(e.weights @ e.eigenvalues))
        curve = ge.solve(with_learner(problem, lam_scaled), alpha=[1e-12, 1e12])
        assert float(curve.test_error[0]) == pytest.approx(e.signal_variance + e.noise, rel=1e-4)
        assert float(curve.excess_over_floor[1]) <= 1e-6 * (e.signal_variance + e.noise)
        assert float(curve.floor[1]) == pytest.approx(e.noise, rel=1e-12)


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("learner", [ge.BayesOptimal(), ge.Ridge(1.0)])
def test_samples_for_inverts_solve(task, learner):
    for index, problem in enumerate(random_problems(700, 6, task, largest_depth=3, learner=learner)):
        if problem.equivalent().slope2 == 0:
            continue
        alpha = 10.0 ** np.random.default_rng((8, index)).uniform(-1, 1.5)
        curve = ge.solve(problem, alpha=alpha)
        error = float(curve.test_error[0])
        if float(curve.excess_over_floor[0]) <= 1e-9 * error:  # solved already: the curve is flat to rounding
            continue
        found = ge.samples_for(problem, error)
        if found.alpha == 0:  # the constant predictor, or almost none of the data, is as good (overfitting)
            assert float(ge.solve(problem, alpha=1e-6).test_error[0]) <= error
            continue
        again = float(ge.solve(problem, alpha=found.alpha).test_error[0])
        if found.alpha > 2e-6:
            assert again == pytest.approx(error, rel=1e-9)
        assert again <= error * (1 + 1e-9)
        assert found.alpha <= alpha * (1 + 1e-6)
