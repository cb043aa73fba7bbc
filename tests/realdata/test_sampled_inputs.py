"""`SampledInputs`: curves from few rows are those of the law behind them, and say how far they can be off."""

import json

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

import gaussequiv as ge
from gaussequiv.errors import AccuracyWarning
from gaussequiv.realdata.pool import Pool

N, D = 60, 30
ALPHA = np.array([0.5, 1.5, 4.0])
LAW = ge.GeneratorInputs(ge.RandomGenerator("sign", latent_ratio=D / N), size=N)
GENERATOR = LAW.at(N).generator
TARGET = ge.LinearTarget(task="classification")
LEARNERS = [ge.Ridge(0.1), ge.Logistic(0.1)]
SPECTRUM = np.geomspace(4, 0.05, N)
ROOT = np.linalg.qr(np.random.default_rng(3).standard_normal((N, N)))[0] * np.sqrt(SPECTRUM)


def drawn(seed, rows):
    c = np.random.default_rng((7, seed)).standard_normal((rows, D))
    return GENERATOR.outputs(c), c


def gaussian(seed, rows):
    return np.random.default_rng((8, seed)).standard_normal((rows, N)) @ ROOT.T


def solved(inputs, learners=LEARNERS):
    return ge.solve(ge.Problem(TARGET, inputs, learners), ALPHA)


@pytest.mark.parametrize(
    ("rows", "sees"),
    [(240, "latents"), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((480, "latents"), (240, "inputs"), (480, "inputs")))],
)
def test_curves_are_those_of_the_law_and_their_errors_cover_them(rows, sees):
    """16 matrices: the mean within 4 standard errors and 1%; the stated error is their spread, known to 18%, to a factor 2."""
    if sees == "latents":
        exact = ge.solve(ge.Problem(TARGET, LAW, LEARNERS), ALPHA, d=N).test_error.values
        made = [ge.SampledInputs(x, latents=c) for x, c in (drawn(seed, rows) for seed in range(16))]
    else:
        exact = solved(ge.GaussianInputs(spectrum=SPECTRUM)).test_error.values
        made = [ge.SampledInputs(gaussian(seed, rows)) for seed in range(16)]
    curves = [solved(inputs) for inputs in made]
    found, stated = (np.array([curve[name].values for curve in curves]) for name in ("test_error", "test_error_moments_stderr"))
    spread = found.std(axis=0, ddof=1)
    assert np.all(np.abs(found.mean(axis=0) - exact) < 4 * spread / 4 + 0.01 * exact)
    ratio = np.sqrt(np.mean(stated**2, axis=0)) / spread
    assert np.all((ratio > 0.55) & (ratio < 2))
    assert np.all(np.mean(np.abs(found - exact) < 2 * stated + 0.01 * exact, axis=0) > 0.8)


def test_the_samples_own_moments_are_not_enough_where_rows_are_few():
    """What the method is for: 1.5 rows per column, 16 matrices."""
    exact = ge.solve(ge.Problem(TARGET, LAW, LEARNERS), ALPHA, d=N).test_error.values
    with pytest.warns(AccuracyWarning, match="estimated from 90 rows of 60 columns"):
        pooled = [solved(ge.SampledInputs(x, latents=c, groups=0)).test_error.values for x, c in (drawn(seed, 90) for seed in range(16))]
    assert np.all(np.abs(np.mean(pooled, axis=0) - exact) < 4 * np.std(pooled, axis=0, ddof=1) / 4 + 0.02 * exact)
    raw = [solved(ge.SampledInputs(*drawn(seed, 90)[:1], latents=drawn(seed, 90)[1], method="sample", groups=0)) for seed in range(4)]
    assert np.mean([one.test_error.values[1, 0] for one in raw]) < 0.95 * exact[1, 0]


class Shrunk(ge.GeneratorInputs):
    """The same rows by linear shrinkage (Ledoit and Wolf 2004) of their covariance, with their own Cov(x, c)."""

    def __init__(self, x, c):
        super().__init__(LAW.generator, size=N)
        z = x - x.mean(axis=0)
        values, vectors = np.linalg.eigh(ledoit_wolf(z, assume_centered=True)[0])
        square = np.sum((vectors.T @ (z.T @ c / len(x))) ** 2, axis=1)
        noise = D / len(x)  # of Cov(x, c), taken off as for samples of a generator
        self.__dict__["law"] = values, N / D * np.maximum((square - noise * values) / (1 - noise), 0.0)

    def modes(self, d):
        return self.law[0], np.full(N, 1 / N)

    def overlap(self, d):
        return self.law[1]


def test_linear_shrinkage_would_be_far_off():
    """90 rows, 16 matrices: its modes say more of the latents than the inputs do, and errors come out 25 to 56% too low, known to 2%."""
    exact = ge.solve(ge.Problem(TARGET, LAW, LEARNERS), ALPHA, d=N).test_error.values
    found = np.mean([ge.solve(ge.Problem(TARGET, Shrunk(*drawn(seed, 90)), LEARNERS), ALPHA).test_error for seed in range(16)], axis=0)
    assert np.all((found < 0.8 * exact) & (found > 0.38 * exact))


def test_many_rows_need_no_method():
    exact = ge.solve(ge.Problem(TARGET, LAW, LEARNERS), ALPHA, d=N).test_error.values
    x, c = drawn(0, 12_000)
    curve = solved(ge.SampledInputs(x, latents=c, method="sample"))
    assert np.all(np.abs(curve.test_error - exact) < 5 * curve.test_error_moments_stderr + 0.005 * exact)
    assert np.all(curve.test_error_moments_stderr < 0.01 * exact)


def test_rows_of_the_data_learn_as_the_curve_says():
    """Rows without replacement, test rows of their own, labels of the latents: 32 teachers, 4 standard errors and 4% at N = 60."""
    x, c = drawn(1, 3000)
    result = ge.compare(ge.Problem(TARGET, ge.SampledInputs(x, latents=c, groups=0), LEARNERS), ALPHA, trials=32, seed=0)
    theory, found = (result.test_error.sel(source=source).values for source in ("theory", "simulation"))
    assert np.all(np.abs(found - theory) < 4 * result.test_error_stderr.sel(source="simulation").values + 0.04 * theory)


def test_latents_of_other_rows_say_nothing():
    x, c = drawn(2, 480)
    curve = solved(ge.SampledInputs(x, latents=np.roll(c, 1, axis=0), groups=0))
    assert np.all(curve.test_error > 0.45)


def test_every_averaged_number_has_its_error():
    x, c = drawn(0, 240)
    curve = solved(ge.SampledInputs(x, latents=c, groups=5))
    names = {name for name in curve if name.endswith("_moments_stderr")}
    assert {"test_error_moments_stderr", "m_moments_stderr", "test_loss_moments_stderr"} <= names
    assert not any(name.startswith(("status", "steps", "residual", "converged")) for name in names)
    assert not [name for name in solved(ge.SampledInputs(x, latents=c, groups=0)) if name.endswith("_moments_stderr")]
    assert "lam_moments_stderr" not in names  # a given penalty is no estimate


def test_one_curve_of_several_targets_is_the_mean_of_their_pools():
    x, c = drawn(0, 150)
    ridges = np.geomspace(1e-2, 1e3, 7)
    each = np.mean([Pool(x, c[:, i]).functions(ridges).risk for i in range(D)], axis=0)
    assert Pool(x, c).functions(ridges).risk == pytest.approx(each, rel=1e-12)


def test_few_rows_and_latents_that_are_not_standard_are_told():
    x, c = drawn(0, 240)
    refused = {
        "array of 240 rows": {"latents": c[:-1]},
        "standard Gaussian, of mean 0": {"latents": 1.5 * c},
        "mean has length 1.9": {"latents": c + 2 / np.sqrt(D)},
        "finite": {"latents": np.where(np.arange(D) == 3, np.nan, c)},
        "a quarter of the rows of the matrix, 60": {"latents": c, "groups": 61},
        "one of pool, sample": {"latents": c, "method": "shrunk"},
    }
    for words, options in refused.items():
        with pytest.raises(ge.ArgumentError, match=words):
            ge.SampledInputs(x, **options)
    with pytest.warns(AccuracyWarning, match="21 of 60 eigenvalues 0, as it has 40 rows"):
        ge.SampledInputs(x[:40], method="sample")


def test_latents_of_any_shape_are_taken_where_they_are_standard():
    """More latents than rows, a single one, thousands of rows: 100 draws, none refused."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 3))
    for rows, columns in ((20, 60), (50, 1), (400, 5)):
        for _ in range(33):
            ge.SampledInputs(x[:rows], latents=rng.standard_normal((rows, columns)), groups=0)


def test_features_of_weights_are_applied_to_the_rows():
    x, c = drawn(0, 240)
    F = np.random.default_rng(1).standard_normal((N, 40)) / np.sqrt(N)
    problem = ge.Problem(TARGET, ge.SampledInputs(x, latents=c), ge.Ridge(0.1), ge.GivenFeatures([F], activations="erf"))
    with pytest.raises(ge.ArgumentError, match="`features` must be applied to the rows first"):
        ge.solve(problem, ALPHA)
    exact = ge.solve(ge.Problem(TARGET, LAW, ge.Ridge(0.1), ge.RandomFeatures("erf", ratio=2, seed=1)), ALPHA, d=N).test_error.values
    sampled = ge.Problem(TARGET, ge.SampledInputs(x, latents=c), ge.Ridge(0.1), ge.RandomFeatures("erf", ratio=2))
    assert ge.solve(sampled, ALPHA).test_error.values == pytest.approx(exact, rel=0.05)  # by modes alone


def test_what_is_saved_is_the_shape(tmp_path):
    x, c = drawn(0, 240)
    problem = ge.Problem(TARGET, ge.SampledInputs(x, latents=c, name="rows"), ge.Ridge(0.1))
    described = json.loads(json.dumps(problem.to_dict()))["inputs"]
    assert described["latents"] == [240, D] and described["method"] == "pool" and described["kind"] == "sampled"
    result = ge.solve(problem, ALPHA)
    ge.save(result, tmp_path / "curve.nc")
    assert "test_error_moments_stderr" in ge.load(tmp_path / "curve.nc")
    with pytest.raises(ge.ArgumentError, match="keeps rows by shape only"):
        ge.rerun(result)
    card = str(problem.equivalent())
    assert "spectrum of the population; the target sees their 30 latents" in card and "rows per column" not in card
    with pytest.raises(ge.ArgumentError, match="learns from rows and labels alone"):
        ge.Problem(TARGET, problem.inputs, ge.BayesOptimal())
