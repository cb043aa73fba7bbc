"""`FunctionGenerator`: outputs, what is dropped and scaled, and moments that are kept."""

import numpy as np
import pytest

import gaussequiv as ge

F = np.random.default_rng(0).standard_normal((12, 4))
LATENTS = np.random.default_rng(1).standard_normal((6, 4))


def curved(c):
    return np.tanh(c @ F.T) + 0.3 * (c @ F.T) ** 2


def with_still_outputs(c):
    rows = curved(c)
    rows[:, [0, 7]] = 3.0
    return rows


def test_outputs_that_never_vary_are_dropped_and_reported():
    generator = ge.FunctionGenerator(with_still_outputs, 4)
    kept = [i for i in range(12) if i not in (0, 7)]
    assert generator.dropped == (0, 7) and generator.dimension == 10 and "2 constant outputs dropped" in str(generator)
    assert np.array_equal(generator.outputs(LATENTS), curved(LATENTS)[:, kept])
    assert np.all(np.diag(generator.moments().omega) > 0)
    with pytest.raises(ge.ArgumentError, match="outputs that vary"):
        ge.FunctionGenerator(lambda c: np.ones((len(c), 3)), 4)


def test_normalised_outputs_have_unit_variance_on_average():
    raw, scaled = ge.FunctionGenerator(curved, 4), ge.FunctionGenerator(curved, 4, normalise=True)
    assert np.trace(scaled.moments().omega) / 12 == pytest.approx(1.0, rel=1e-12)
    assert scaled.outputs(LATENTS) * scaled.scale == pytest.approx(raw.outputs(LATENTS), rel=1e-12)
    for name, power in (("mean", 1), ("phi", 1), ("omega", 2)):
        assert getattr(scaled.moments(), name) * scaled.scale**power == pytest.approx(getattr(raw.moments(), name), rel=1e-12)


def test_moments_are_kept_under_the_digest(tmp_path):
    calls = []

    def counted(c):
        calls.append(len(c))
        return curved(c)

    first = ge.FunctionGenerator(curved, 4, cache=tmp_path).moments()
    again = ge.FunctionGenerator(counted, 4, cache=tmp_path)
    assert np.array_equal(again.moments().omega, first.omega) and sum(calls) < 5_000
    assert ge.FunctionGenerator(lambda c: curved(c) * 1.001 + c[:, :1], 4).digest != again.digest
    ge.FunctionGenerator(lambda c: curved(c) + c[:, :1], 4, cache=tmp_path).moments()
    assert len(list(tmp_path.iterdir())) == 2


def test_an_error_above_the_tolerance_is_told():
    generator = ge.FunctionGenerator(curved, 4, tolerance=1e-5, max_samples=20_000)
    with pytest.warns(ge.AccuracyWarning, match=r"relative error of .* after 18432 samples, more than the tolerance 1e-05"):
        generator.moments()


def test_values_that_overflow_in_rare_places_are_named():
    generator = ge.FunctionGenerator(lambda c: np.where(c > 3.9, np.inf, c**3), 4, tolerance=1e-4)
    with pytest.raises(ge.ArgumentError, match="must give finite outputs, but"):
        generator.moments()


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_outputs_of_any_size_but_these_are_named(size):
    with pytest.raises(ge.ArgumentError, match=r"outputs whose size is from .* but the largest is .*: divide them by a number"):
        ge.FunctionGenerator(lambda c: size * curved(c), 4)


def test_wrong_arguments_are_named():
    with pytest.raises(ge.ArgumentError, match="`latent_dim`"):
        ge.FunctionGenerator(curved, 0)
    with pytest.raises(ge.ArgumentError, match="`cache`"):
        ge.FunctionGenerator(curved, 4, cache=3)
    with pytest.raises(ge.ArgumentError, match="`N` must be 12"):
        ge.FunctionGenerator(curved, 4).draw(10, np.random.default_rng(0))


def test_online_learning_of_a_function_is_that_of_its_twin():
    """SGD on the function's samples and on Gaussian ones, beside the equations: within 4 standard errors and 8% for N = 60."""
    weights = np.random.default_rng(3).standard_normal((60, 30)) / np.sqrt(30)
    generator = ge.FunctionGenerator(lambda c: np.tanh(2 * (c @ weights.T)), 30, normalise=True)
    network = ge.TwoLayer("erf", 2, readout="ones")
    problem = ge.OnlineSGD(network, network, generator, rate=0.2, data=("generator", "twin"))
    assert problem.dimension == 60
    result = ge.compare(problem, time=[0.5, 4.0], trials=16, seed=0)
    theory = result.test_error.sel(source="theory").values
    found = result.test_error.sel(source="simulation").values
    assert np.all(np.abs(found - theory) < 4 * result.test_error_stderr.sel(source="simulation").values + 0.08 * theory)
    with pytest.raises(ge.ArgumentError, match="`dimension` must be 60"):
        ge.OnlineSGD(network, network, generator, dimension=100)


def test_digests_know_the_size_of_outputs(tmp_path):
    """Three times as large, or moved by a constant: other generators, whose moments are kept apart."""
    others = [lambda c: 3 * curved(c), lambda c: curved(c) + 5, lambda c: 1e6 + curved(c), lambda c: 1e6 + curved(c)[:, ::-1]]
    digests = {ge.FunctionGenerator(one, 4).digest for one in [curved, *others]}
    assert len(digests) == 5
    small = ge.FunctionGenerator(curved, 4, cache=tmp_path).moments()
    assert np.trace(ge.FunctionGenerator(others[0], 4, cache=tmp_path).moments().omega) == pytest.approx(
        9 * np.trace(small.omega), rel=1e-9
    )


def test_functions_that_work_in_place_change_no_latents():
    def in_place(c):
        np.maximum(c, 0, out=c)
        return c @ F.T

    found, plain = (ge.FunctionGenerator(one, 4).moments() for one in (in_place, lambda c: np.maximum(c, 0) @ F.T))
    assert np.array_equal(found.phi, plain.phi) and np.array_equal(found.omega, plain.omega)


def test_caches_that_are_no_caches_are_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ge.ArgumentError, match="`cache` must be a folder"):
        ge.FunctionGenerator(curved, 4, cache=file)
    generator = ge.FunctionGenerator(curved, 4, cache=tmp_path)
    (tmp_path / f"moments-{generator.digest}-0.npz").write_bytes(b"no archive")
    with pytest.raises(ge.ArgumentError, match="`cache` must be a new file"):
        generator.moments()


@pytest.mark.parametrize("fields", [{"normalise": "no"}, {"batched": "x"}, {"name": 5}])
def test_words_in_the_place_of_truth_values_are_refused(fields):
    with pytest.raises(ge.ArgumentError, match=f"`{next(iter(fields))}`"):
        ge.FunctionGenerator(curved, 4, **fields)
