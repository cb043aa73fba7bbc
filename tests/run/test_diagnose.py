"""`diagnose`: random weights pass as N grows, adversarial ones fail, SGD stays Gaussian, and bad input is named."""

import json

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.numerics.keys import GENERATOR, STUDENT
from gaussequiv.problems.online_sgd.instance import instance_of
from gaussequiv.problems.online_sgd.training import Source, measured_errors, train
from gaussequiv.run.diagnose import diagnose

SIGN = ge.RandomGenerator("sign", latent_ratio=0.5)
HALF = 2**-0.5
DRAWN = np.random.default_rng(0).standard_normal((300, 4)) / 2
FEW = ge.FunctionGenerator(lambda c: np.maximum(c @ DRAWN.T, 0), latent_dim=4, name="few")  # 300 outputs of 4 latents


def online(**changes):
    student = ge.TwoLayer("erf", 2, readout="ones", gain=HALF)
    return ge.OnlineSGD(**({"student": student, "teacher": student, "generator": SIGN, "dimension": 400, "rate": 0.5} | changes))


@pytest.fixture(scope="module")
def families():
    return diagnose(SIGN, weights=["random", "coordinate", "hermite2", "hermite3"], N=400, seed=1)


@pytest.mark.parametrize(
    ("N", "low", "high", "verdict"), [(50, -0.3, -0.08, "small deviations"), (200, -0.1, -0.02, None), (800, -0.03, 0.005, "Gaussian")]
)
def test_signs_seen_by_random_weights_become_gaussian(N, low, high, verdict):
    found = diagnose(SIGN, N=N, units=6, seed=2)
    assert low < float(found.excess_kurtosis.mean()) < high
    assert verdict in (None, found.attrs["verdict"])
    noise = float(found.ks_noise + 5 * found.ks_noise_spread)
    assert float(found.ks.max()) < (0.02 if N == 50 else 0.01 if N == 200 else noise)


@pytest.mark.parametrize("N", [50, 800])
def test_one_coordinate_of_signs_is_never_gaussian(N):
    found = diagnose(SIGN, weights="coordinate", N=N, samples=20_000)
    np.testing.assert_allclose(found.ks, 0.3413, atol=0.012)
    np.testing.assert_allclose(found.excess_kurtosis, -2, atol=0.01)
    np.testing.assert_allclose(found.effect, 0.398, atol=0.08)
    assert found.attrs["verdict"] == "not Gaussian"
    w = np.random.default_rng(0).standard_normal((1, N))
    w[0, 0] = 10 * np.sqrt(N)  # dominated by one: sign + z/10
    found = diagnose(SIGN, weights=w, N=N, samples=20_000)
    assert float(found.ks[0, 0]) == pytest.approx(0.27, abs=0.02)
    assert float(found.excess_kurtosis[0, 0]) == pytest.approx(-1.96, abs=0.02)
    assert found.verdict.values.tolist() == ["not Gaussian"] and found["weights"].values.tolist() == ["given"]


def test_families_and_the_form_of_the_result(families):
    assert families.verdict.values[:2].tolist() == ["Gaussian", "not Gaussian"] and "not Gaussian" not in families.verdict.values[2:]
    assert families.attrs["verdict"] == "not Gaussian" and families.attrs["reason"] == families.reason.values[1]
    assert families.nonlinear_correlation.dims == ("weights", "unit", "teacher_unit", "order")
    assert families.student_cumulant.dims == ("weights", "unit", "other_unit")
    assert {families.attrs[name] for name in ("N", "D")} == {400, 200} and families.attrs["samples"] == 50_000
    assert json.loads(families.attrs["generator"]) == SIGN.to_dict() and families.attrs["citations"] == "goldt2020"
    assert all(
        families[name].attrs["long_name"] != name
        for name in families.variables
        if name not in ("unit", "other_unit", "teacher_unit", "order", "verdict")
    )
    np.testing.assert_allclose(families.student_cumulant.values[:, [0, 1], [0, 1]], families.excess_kurtosis)
    np.testing.assert_array_equal(families.student_cumulant.values[:, 0, 1], families.student_cumulant.values[:, 1, 0])
    assert np.isnan(families.reliability.values[:2]).all() and (np.abs(families.reliability.values[2:]) < 0.6).all()
    assert (np.diff(families["quantile"].values, axis=-1) >= 0).all()
    assert float(np.abs(families["quantile"] - families.normal).sel(weights="random").isel(normal=slice(8, -8)).max()) < 0.06


@pytest.mark.parametrize("ending", ["nc", "json", "csv"])
def test_a_result_survives_its_file(families, ending, tmp_path):
    back = ge.load(ge.save(families, tmp_path / f"fields.{ending}"))
    assert back.equals(families) and back.attrs == families.attrs


def test_gaussian_inputs_are_gaussian_whatever_the_weights():
    found = diagnose(ge.RandomGenerator(()), weights=["random", "coordinate", "hermite2"], N=60, seed=3)
    assert found.verdict.values.tolist() == ["Gaussian"] * 3
    assert float(np.abs(found.nonlinear_correlation / found.nonlinear_correlation_stderr).max()) < 4.5


def test_few_latents_break_it_along_the_teacher():
    found = diagnose(FEW, weights=["random", "hermite2", "hermite3"], seed=0)
    assert found.attrs["verdict"] == "not Gaussian" and found.attrs["N"] == 300
    along = np.abs(found.nonlinear_correlation.sel(weights="hermite2", order=2).values.diagonal())
    assert (along > 0.4).all() and (found.reliability.sel(weights="hermite2") > 0.99).all()
    assert (along > np.abs(found.nonlinear_correlation.sel(weights="random", order=2).values.diagonal())).all()
    assert "nonlinear correlation" in str(found.reason.sel(weights="hermite2").values)


def test_sgd_leaves_fields_gaussian():
    problem = online()
    found = diagnose(problem, [0.0, 2.0, 8.0])
    assert found["time"].values.tolist() == [0.0, 2.0, 8.0]
    assert found.verdict.values.tolist() == ["Gaussian"] * 3
    rho = np.abs(found.correlation).max(("unit", "teacher_unit")).values
    assert rho[0] < 0.2 and rho[2] > 0.3, "the student has learned"
    instance = instance_of(problem, 400)
    w, _ = train(problem, instance, Source(problem, instance, False, (0, 0)), np.array([800]))
    given = diagnose(problem, weights=w)
    np.testing.assert_array_equal(given.ks.values[0], found.ks.values[1])
    np.testing.assert_array_equal(given["weights"], [0])
    Q, R = instance.overlaps(w[0])
    scaled = R / np.sqrt(np.outer(Q.diagonal(), instance.T.diagonal()))
    np.testing.assert_allclose(given.correlation.values[0], scaled, atol=5 / np.sqrt(50_000))


def test_the_effect_is_what_the_theory_of_a_curve_misses():
    """At N = 50 the error of the first student is not that of its Gaussian theory, by what the diagnosis says: of its size and sign."""
    one = ge.TwoLayer("erf", 1, readout="ones", gain=HALF)
    problem = online(student=one, teacher=one, dimension=50, instance=1)
    instance = instance_of(problem, 50)
    Q, R = (float(one[0, 0]) for one in instance.overlaps(instance.w))
    T = float(instance.T[0, 0])
    angles = np.arcsin(Q / (1 + Q)) + np.arcsin(T / (1 + T)) - 2 * np.arcsin(R / np.sqrt((1 + Q) * (1 + T)))
    theory = 2 / np.pi * angles  # Saad and Solla 1995
    source = Source(problem, instance, False, (7, 0))
    measured = measured_errors(problem, source, instance.w[None], instance.v[None], 400_000)["clean_error"][0]
    found = diagnose(problem)
    assert found.effect.shape == (1, 1, 1) and float(found.effect.sum()) > 5 * float(found.effect_stderr.sum())
    assert 3 * (measured - theory) == pytest.approx(float(found.effect.sum()), rel=0.5)


def test_a_problem_runs_again_and_shares_its_instance(tmp_path):
    problem = online(dimension=60)
    found = diagnose(problem, [1.0, 0.0], N=80, samples=10_000, seed=4)
    assert found.attrs["N"] == 80 and found["time"].values.tolist() == [1.0, 0.0]
    assert found.attrs["citations"] == "goldt2020, saad1995"
    again = ge.rerun(ge.load(ge.save(found, tmp_path / "fields.nc")))
    assert again.identical(found)
    start = diagnose(problem, samples=10_000)
    assert start["time"].values.tolist() == [0.0]
    same = diagnose(SIGN, weights=instance_of(problem, 60).w, teacher=instance_of(problem, 60).B, N=60, samples=10_000)
    np.testing.assert_array_equal(same.ks.values, start.ks.values)
    np.testing.assert_array_equal(same.effect.values, start.effect.values)
    for partial in (diagnose(problem, teacher=np.ones((1, 30)), samples=10_000), diagnose(problem, weights="random", samples=10_000)):
        with pytest.raises(ge.ArgumentError, match="call"):
            ge.rerun(partial)


def test_named_weights_are_gaussian_and_of_the_student():
    found = diagnose(online(dimension=100), weights="random", samples=10_000)
    assert found.sizes["unit"] == 2 and found["weights"].values.tolist() == ["random"]
    w = np.random.default_rng((0, 100, STUDENT)).standard_normal((3, 100))
    given = diagnose(SIGN, weights=w, N=100, samples=10_000)
    np.testing.assert_array_equal(given.ks, diagnose(SIGN, N=100, units=3, samples=10_000).ks)
    assert SIGN.draw(100, np.random.default_rng((0, 100, GENERATOR))).weights[0].shape == (100, 50)
    assert diagnose(SIGN, weights="hermite3", N=40, units=3, samples=10_000).reliability.shape == (1, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "sign"}, "Argument `source` must be a Generator or an OnlineSGD problem"),
        ({"N": None}, "Argument `N` must be given, as the generator does not fix"),
        ({"N": 0}, "Argument `N` must be an integer of at least 1"),
        ({"source": FEW, "N": 20}, "Argument `N` must be 300, the outputs of the generator"),
        ({"samples": 5000}, "Argument `samples` must be an integer of at least 10000"),
        ({"seed": -1}, "Argument `seed`"),
        ({"units": 0}, "Argument `units`"),
        ({"weights": np.ones((2, 19))}, r"Argument `weights` must be an array \(K, N\) or \(records, K, N\), N = 20"),
        ({"weights": np.ones(20)}, "Argument `weights` must be an array"),
        ({"weights": np.full((1, 20), np.nan)}, "Argument `weights` must be finite, but 20 of its 20"),
        ({"weights": np.zeros((1, 20))}, "Argument `weights` must give fields that vary"),
        ({"weights": np.full((1, 20), 1e200)}, "Argument `weights` must be at most 1e.100, but weights=1e.200"),
        ({"weights": "hermite4"}, "Argument `weights` must be an array, or different names among random, coordinate, hermite2, hermite3"),
        ({"weights": ["random", "random"]}, "Argument `weights` must be an array, or different names"),
        ({"weights": []}, "Argument `weights` must be a non-empty array"),
        ({"weights": "coordinate", "units": 21}, "Argument `units` must be at most N = 20"),
        ({"teacher": np.ones((1, 20))}, r"Argument `teacher` must be an array \(M, D = 10\)"),
        ({"teacher": np.zeros((1, 10))}, "Argument `teacher` must be an array"),
        ({"time": [1.0]}, "Argument `time` must be left out"),
        ({"source": online(), "N": 20, "time": [1.0], "weights": "random"}, "Argument `time` must be left out"),
        ({"source": online(), "N": 20, "time": [-1.0]}, "Argument `time` must be not negative"),
        ({"source": online(rate=1e150), "N": 20, "time": [9.0]}, "Argument `time` must be such that training does not run away"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ge.ArgumentError, match=message):
        diagnose(**({"source": SIGN, "N": 20} | arguments))


def test_teachers_of_the_inputs_are_seen_as_the_student_sees_them():
    """With the teacher's weights it has the teacher's field; correlations are those of the covariance; one coordinate is not Gaussian."""
    problem = online(teacher_sees="inputs")
    instance = instance_of(problem, 400)
    found = diagnose(problem, weights=np.stack([instance.B, instance.w]), samples=20_000)
    np.testing.assert_allclose(found.correlation.values[0].diagonal(), 1, rtol=1e-12)
    np.testing.assert_allclose(found.teacher_ks, found.ks.values[0])
    np.testing.assert_allclose(found.teacher_kurtosis, found.excess_kurtosis.values[0])
    Q, R = instance.overlaps(instance.w)
    scaled = R / np.sqrt(np.outer(Q.diagonal(), instance.T.diagonal()))
    np.testing.assert_allclose(found.correlation.values[1], scaled, atol=5 / np.sqrt(20_000))
    assert found.attrs["teacher_sees"] == "inputs" and found.attrs["verdict"] == "Gaussian"
    one = diagnose(SIGN, teacher=np.eye(2, 400), teacher_sees="inputs", N=400, samples=20_000)
    assert (one.ks < 0.02).all() and one.attrs["verdict"] == "not Gaussian"
    np.testing.assert_allclose(one.teacher_ks, 0.3413, atol=0.02)
    assert "teacher_ks" not in diagnose(SIGN, N=400, samples=10_000)


def test_directions_of_a_teacher_of_the_inputs_are_found():
    """Few latents: SGD is pulled along E[x He_2(nu)], and there fields are far from jointly Gaussian."""
    found = diagnose(FEW, weights=["hermite2"], teacher_sees="inputs", samples=20_000, seed=1)
    along = np.abs(found.nonlinear_correlation.sel(weights="hermite2", order=2).values.diagonal())
    other = np.abs(
        diagnose(FEW, weights=["random"], teacher_sees="inputs", samples=20_000, seed=1).nonlinear_correlation.sel(order=2).values
    )
    assert (along > other[0].diagonal()).all() and (found.reliability > 0.95).all()
    assert found.attrs["verdict"] == "not Gaussian"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"teacher_sees": "outputs"}, "Argument `teacher_sees` must be one of latents, inputs"),
        ({"teacher_sees": "inputs", "teacher": np.ones((1, 200))}, r"`teacher` must be an array \(M, N = 400\)"),
        ({"teacher": np.ones((1, 400))}, r"`teacher` must be an array \(M, D = 200\)"),
        ({"teacher_sees": "inputs", "teacher": np.zeros((1, 400))}, "without rows of zeros"),
    ],
)
def test_teachers_of_the_wrong_dimension_are_named(options, message):
    with pytest.raises(ge.ArgumentError, match=message):
        diagnose(SIGN, N=400, samples=10_000, **options)


def test_what_a_teacher_sees_is_the_problems_own():
    with pytest.raises(ge.ArgumentError, match="`teacher_sees` must be left out, or 'latents', as the problem says"):
        diagnose(online(), teacher_sees="inputs", samples=10_000)
    doubled = ge.FunctionGenerator(lambda c: np.hstack([c, c]), latent_dim=5)
    against = np.array([[1.0, 0, 0, 0, 0, -1.0, 0, 0, 0, 0]])
    with pytest.raises(ge.ArgumentError, match="Argument `teacher` must give fields that vary, but 1 of 1"):
        diagnose(doubled, teacher=against, teacher_sees="inputs", samples=10_000)
