"""Fields on samples of a generator, and adversarial weights."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.equivalence.diagnostics import hermite_direction, one_coordinate, sampled_fields
from gaussequiv.ingredients.generators.base import DrawnGenerator


class Given(DrawnGenerator):
    """A function without checks."""

    def __init__(self, function, latent_dim, dimension):
        self.function, self.latent_dim, self.dimension = function, latent_dim, dimension

    def outputs(self, latents):
        return self.function(latents)


def squares(c):
    """x_0 = He_2(c_0), x_1 = He_3(c_1), others are latents."""
    return np.column_stack([c[:, 0] ** 2 - 1, c[:, 1] ** 3 - 3 * c[:, 1], c[:, 2:]])


def test_fields_are_those_of_the_outputs():
    generator = ge.RandomGenerator(()).draw(30, np.random.default_rng(0))
    w, B = np.random.default_rng(1).standard_normal((2, 3, 2, 30)), np.random.default_rng(2).standard_normal((4, 30))
    fields, nu = sampled_fields(generator, w[0], B, 3000, 5)
    assert fields.shape == (3000, 3, 2) and nu.shape == (3000, 4)
    same, _ = sampled_fields(generator, np.sqrt(30) * np.eye(30), B, 3000, 5)
    np.testing.assert_allclose(fields.reshape(3000, 6), same @ w[0].reshape(6, 30).T / np.sqrt(30), atol=1e-12)
    np.testing.assert_allclose(same @ B.T / np.sqrt(30), nu, atol=1e-12)
    np.testing.assert_array_equal(sampled_fields(generator, w[0], B, 1500, 5)[0], fields[:1500])
    assert np.abs(sampled_fields(generator, w[0], B, 1500, 6)[0] - fields[:1500]).min() > 0
    assert np.abs(np.corrcoef(same, rowvar=False) - np.eye(30)).max() < 5 / np.sqrt(3000)


def test_fields_that_do_not_vary_and_outputs_that_are_not_finite_are_refused():
    double = Given(lambda c: np.hstack([c, c]) + 1e3, 5, 10)
    one = np.ones((1, 5))
    against = np.array([[1.0, 0, 0, 0, 0, -1.0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0]])
    with pytest.raises(ge.ArgumentError, match=r"Argument `weights` must give fields that vary, but 1 of 2 do not \(the first is unit 0\)"):
        sampled_fields(double, against, one, 2000, 0)
    with pytest.raises(ge.ArgumentError, match=r"`weights`.* 1 of 2 .*unit 1"):
        sampled_fields(double, np.stack([np.ones(10), np.zeros(10)]), one, 2000, 0)
    assert sampled_fields(double, np.stack([np.ones(10), 1e-9 * np.ones(10)]), one, 2000, 0)[0].std(axis=0).min() > 0
    with pytest.raises(ge.ArgumentError, match=r"Argument `generator` must give finite outputs, but \d+ of 5120"):
        sampled_fields(Given(lambda c: np.where(c > 2, np.nan, c), 5, 5), np.ones((1, 5)), one, 2000, 0)


@pytest.mark.parametrize(("apart", "varies"), [(2e-10, True), (1e-10, False)])
def test_what_does_not_vary_is_measured_by_its_terms(apart, varies):
    """Two outputs that nearly cancel: a deviation of `apart`/sqrt(2) of what independent ones would give."""
    generator = Given(lambda c: np.hstack([c, c * (1 + apart)]), 1, 2)
    w = np.array([[-1.0, 1.0]])
    if varies:
        fields, _ = sampled_fields(generator, w, np.ones((1, 1)), 2000, 0)
        assert fields.std() == pytest.approx(apart / np.sqrt(2), rel=0.1)
    else:
        with pytest.raises(ge.ArgumentError, match="Argument `weights` must give fields that vary"):
            sampled_fields(generator, w, np.ones((1, 1)), 2000, 0)


def test_more_fields_than_memory_are_refused(monkeypatch):
    monkeypatch.setattr("gaussequiv._memory.available", lambda: 3e6)
    generator = Given(lambda c: c, 5, 5)
    assert sampled_fields(generator, np.ones((12, 5)), np.ones((12, 5)), 5000, 0)[0].shape == (5000, 12)
    for K, M in ((25, 1), (1, 25), (13, 13)):
        with pytest.raises(ge.ArgumentError, match="Argument `samples` must be small enough for the memory, but samples=5000"):
            sampled_fields(generator, np.ones((K, 5)), np.ones((M, 5)), 5000, 0)


def test_one_coordinate_each():
    generator = ge.RandomGenerator("sign").draw(20, np.random.default_rng(0))
    w = one_coordinate(generator, 20, 3)
    np.testing.assert_allclose(np.sort(np.argmax(w, axis=1)), np.arange(20))
    np.testing.assert_allclose(w @ w.T, 20 * np.eye(20))
    assert not np.array_equal(w, one_coordinate(generator, 20, 4))
    with pytest.raises(ge.ArgumentError, match="Argument `units` must be at most N = 20"):
        one_coordinate(generator, 21, 3)


def test_hermite_directions_are_found():
    generator = Given(squares, 6, 6)
    u = np.eye(6)[:2]
    second, known = hermite_direction(generator, 7 * u, 2, 20_000, 0)
    assert second[0, 0] == pytest.approx(np.sqrt(6), rel=1e-3) and known[0] > 0.99
    assert abs(known[1]) < 0.9  # no output has a square of the second latent: noise
    third, known = hermite_direction(generator, u, 3, 20_000, 0)
    assert third[1, 1] == pytest.approx(np.sqrt(6), rel=1e-3) and known[1] > 0.99
    np.testing.assert_allclose(np.linalg.norm(third, axis=1), np.sqrt(6))


def test_a_large_mean_does_not_hide_a_direction():
    second, known = hermite_direction(Given(lambda c: squares(c) + 1e3, 6, 6), np.eye(6)[:1], 2, 20_000, 0)
    assert second.shape == (1, 6) and second[0, 0] > 0.99 * np.sqrt(6) and known[0] > 0.99


def test_directions_come_from_samples_of_their_own():
    seen = []
    generator = Given(lambda c: seen.append(c) or c, 4, 4)
    hermite_direction(generator, np.ones((1, 4)), 2, 3000, 0)
    sampled_fields(generator, np.ones((1, 4)), np.ones((1, 4)), 3000, 0)
    rows = np.concatenate(seen)
    assert len(rows) == 4096 + 3072 and len(np.unique(rows[:, 0])) == len(rows)
    with pytest.raises(ge.ArgumentError, match="Argument `generator` must have outputs that vary"):
        hermite_direction(Given(lambda c: 0 * c, 4, 4), np.ones((1, 4)), 2, 3000, 0)
