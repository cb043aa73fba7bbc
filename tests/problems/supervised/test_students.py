"""Simulated students on features and kernels: keys, pairing, equality with an explicit computation, sweeps, saved results."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.problems.supervised.dictionary import from_dict

TARGET = ge.DeepNetwork("tanh", noise=0.1)
RF = ge.RandomFeatures("relu", ratio=1.5)
LEARNERS = (ge.Ridge(0.1), ge.Ridge(0.1, intercept=True), ge.BayesOptimal())


def run(features, alpha=(0.5, 1.5), learner=LEARNERS, **options):
    return ge.simulate(
        ge.Problem(TARGET, learner=learner, features=features), list(alpha), d=30, progress=False, **({"trials": 3} | options)
    )


@pytest.mark.parametrize("features", [RF, ge.NNGP("relu"), ge.RandomFeatures(("tanh", "relu"), ratio=(2, 0.7))])
def test_trials_and_points_do_not_depend_on_the_others(features):
    full, fewer = run(features), run(features, alpha=(1.5,), trials=2)
    assert np.allclose(full.test_error.values[:, 1:, :2], fewer.test_error.values, rtol=1e-9)


def test_learners_on_inputs_are_untouched_by_features():
    with_features, without = run(RF), run(None)
    assert np.allclose(with_features.test_error.values[2], without.test_error.values[2], rtol=1e-12)
    assert not np.allclose(with_features.test_error.values[0], without.test_error.values[0])


def test_given_features_against_an_explicit_fit():
    """The same rows, labels and features by hand: least squares with scikit-learn's convention Ridge(alpha=lam) on V/sqrt(p)."""
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    weight = rng.standard_normal((30, 20)) / np.sqrt(30)
    problem = ge.Problem(TARGET, learner=ge.Ridge(0.1), features=ge.GivenFeatures([weight], activations="tanh"))
    result = ge.simulate(problem, 2.0, trials=1, test_samples=500, progress=False)  # the weights fix d
    key = (0, 0)
    network = TARGET.sample(np.random.default_rng((*key, 10)), 30)
    rows = ge.GaussianInputs().rows((*key, 11), 30, 60, 500)
    x, t = rows.block(0, 0, 60), rows.block(1, 0, 500)
    y = TARGET.channel.sample(np.random.default_rng((*key, 12, 0, 0)), network(x))
    z = TARGET.channel.sample(np.random.default_rng((*key, 12, 1, 0)), network(t))
    fit = Ridge(alpha=0.1, fit_intercept=False).fit(np.tanh(x @ weight) / np.sqrt(20), y)
    assert result.test_error.item() == pytest.approx(np.mean((z - fit.predict(np.tanh(t @ weight) / np.sqrt(20))) ** 2), rel=1e-9)


def test_kernel_student_against_scikit_learn():
    from sklearn.kernel_ridge import KernelRidge

    kernel = ge.NNGP("erf", depth=2)
    result = ge.simulate(ge.Problem(TARGET, learner=ge.Ridge(0.1), features=kernel), 2.0, d=30, trials=1, test_samples=500, progress=False)
    rows = ge.GaussianInputs().rows((0, 0, 11), 30, 60, 500)
    x, t = rows.block(0, 0, 60), rows.block(1, 0, 500)
    network = TARGET.sample(np.random.default_rng((0, 0, 10)), 30)
    y = TARGET.channel.sample(np.random.default_rng((0, 0, 12, 0, 0)), network(x))
    prediction = KernelRidge(alpha=0.1, kernel="precomputed").fit(kernel.block(x), y).predict(kernel.block(t, x))
    field = network(t)
    assert result.q.item() == pytest.approx(prediction.var(), rel=1e-8)
    assert result.m.item() == pytest.approx(np.cov(prediction, field, bias=True)[0, 1], rel=1e-8)


def test_feature_matrix_of_data():
    """Features equal to the data: the same curves as the raw rows, in theory and in simulation."""
    rng = np.random.default_rng(0)
    data = ge.DataInputs(rng.standard_normal((400, 20)))
    raw = ge.Problem(TARGET, data, ge.Ridge(0.2))
    same = ge.Problem(TARGET, data, ge.Ridge(0.2), ge.FeatureMatrix(data.matrix))
    assert np.allclose(ge.solve(raw, [1.0, 2.0]).test_error, ge.solve(same, [1.0, 2.0]).test_error, rtol=1e-9)
    a, b = (ge.simulate(p, [1.0, 2.0], trials=2, progress=False) for p in (raw, same))
    assert np.allclose(a.test_error, b.test_error, rtol=1e-9)


@pytest.mark.parametrize(
    "features", [RF, ge.NNGP("relu", depth=2, bias_variance=0.1), ge.NTK(("erf", "relu")), ge.RandomFeatures("erf", depth=2, ratio=2)]
)
def test_descriptions_read_back(features, tmp_path):
    problem = ge.Problem(TARGET, learner=ge.Ridge("optimal", constrain=True), features=features)
    assert from_dict(problem.to_dict()).to_dict() == problem.to_dict()
    curve = ge.solve(problem, [0.5, 2.0], d=20)
    again = ge.rerun(ge.load(ge.save(curve, tmp_path / "curve.nc")))
    assert np.array_equal(again.test_error, curve.test_error)


def cube(x):
    return x + x**3


def test_functions_and_matrices_are_passed_again():
    function = ge.Problem(TARGET, learner=ge.Ridge(0.1), features=ge.DotProductKernel(cube))
    curve = ge.solve(function, 1.0)
    name = function.to_dict()["features"]["function"]
    assert np.array_equal(ge.rerun(curve, functions={name: cube}).test_error, curve.test_error)
    with pytest.raises(ge.ArgumentError, match="given again"):
        ge.rerun(curve)
    given = ge.GivenFeatures([np.eye(5)])
    curve = ge.solve(ge.Problem(TARGET, learner=ge.Ridge(0.1), features=given), 1.0)
    assert np.array_equal(ge.rerun(curve, features=given).test_error, curve.test_error)
    with pytest.raises(ge.ArgumentError, match="those of the result"):
        ge.rerun(curve, features=ge.GivenFeatures([2 * np.eye(5)]))
    user = ge.Problem(TARGET, learner=ge.Ridge(0.1), features=ge.RandomFeatures(cube))
    curve = ge.sweep(user, 1.0, {"ratio": [1, 2]})
    again = ge.rerun(curve, functions={user.to_dict()["features"]["activations"][0]: cube})
    assert np.array_equal(again.test_error, curve.test_error)
    with pytest.raises(ge.ArgumentError, match="nngp"):
        from_dict({"features": {"name": "nngpp"}})


def test_sweeps():
    problem = ge.Problem(TARGET, learner=ge.Ridge(0.1), features=ge.RandomFeatures("erf"))
    ratios = ge.sweep(problem, [0.5, 2.0], {"ratio": [0.5, 1.0, 3.0]})
    assert ratios.test_error.dims == ("ratio", "alpha")
    single = ge.solve(ge.Problem(TARGET, learner=ge.Ridge(0.1), features=ge.RandomFeatures("erf", ratio=3.0)), [0.5, 2.0])
    assert np.array_equal(ratios.test_error.values[2], single.test_error)
    depths = ge.sweep(problem, 1.0, {"features.depth": [1, 2], "depth": [1, 2]})  # the target's depth, too
    assert depths.test_error.dims == ("features.depth", "depth", "alpha")
    assert len(np.unique(depths.test_error)) == 4
    with pytest.raises(ge.ArgumentError, match="ratio"):
        ge.sweep(problem, 1.0, {"features.ratios": [1]})
    with pytest.raises(ge.ArgumentError, match="anew"):
        ge.sweep(ge.Problem(TARGET, learner=ge.Ridge(0.1), features=ge.GivenFeatures([np.eye(3)])), 1.0, {"features.activations": ["erf"]})


def test_compare_has_no_allowance_for_features():
    both = ge.compare(ge.Problem(TARGET, learner=ge.Ridge(0.1), features=RF), 1.0, d=30, trials=16, progress=False)
    assert both.attrs["verdict"] in ("inconclusive", "disagree") and np.isnan(both.allowance).all()
