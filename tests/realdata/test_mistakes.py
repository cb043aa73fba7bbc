"""`mistakes`: chances of wrong signs and their derivatives, and what is not known."""

import numpy as np
import pytest

from gaussequiv.numerics.status import Status
from gaussequiv.realdata.mistakes import mistakes, wrong_rows


def draw(noise):
    rng = np.random.default_rng(0)
    y = np.where(rng.random(500) < 0.4, 1.0, -1.0)
    score = 0.8 * y + rng.standard_normal(500)
    return y, score, np.full(500, noise)


def test_derivatives_of_noisy_chances_are_those_of_differences():
    y, score, extra = draw(2.0)
    found, h = mistakes(y, score, extra), 1e-4
    up, down = mistakes(y, score + h, extra), mistakes(y, score - h, extra)
    assert found.slope == pytest.approx((up.chance - down.chance) / (2 * h), abs=1e-6)
    assert found.curve == pytest.approx((up.slope - down.slope) / (2 * h), abs=1e-6)
    more, less = mistakes(y, score, extra + h), mistakes(y, score, extra - h)
    assert found.through == pytest.approx((more.chance - less.chance) / (2 * h), abs=1e-6)


def test_without_noise_mistakes_are_counted_and_their_slopes_smoothed():
    y, score, extra = draw(0.0)
    found = mistakes(y, score, extra)
    assert found.chance.tolist() == (y * score < 0).astype(float).tolist()
    step = 0.05  # the count moves as the smoothed slopes say
    moved = np.mean(y * (score + step * y) < 0) - np.mean(y * (score - step * y) < 0)
    assert np.mean(found.slope * y) == pytest.approx(moved / (2 * step), rel=0.3)
    assert not found.through.any()


def test_removed_noise_shrinks_a_class_about_its_mean():
    margin = np.array([-1.0, 3.0, 4.0])
    chance, share = wrong_rows(margin, np.full(3, -0.75 * np.var(margin)))
    assert share == pytest.approx(-0.75) and not chance.any()  # -1 becomes (2 - 3/2) > 0


@pytest.mark.parametrize(("removed", "status"), [(0.3, Status.converged), (0.6, Status.nonfinite)])
def test_more_noise_than_half_of_the_spread_cannot_be_removed(removed, status):
    y, score, _ = draw(0.0)
    least = min(np.var(score[y == 1]), np.var(score[y == -1]))
    assert mistakes(y, score, np.full(500, -removed * least)).status == status


def test_no_mistake_left_beyond_the_pool_is_not_known():
    y = np.array([1.0, 1.0, -1.0, -1.0])
    score = y * np.array([1.0, 2.0, 1.0, 2.0])
    assert mistakes(y, score, np.zeros(4)).status == Status.converged
    assert mistakes(y, score, np.full(4, -0.01)).status == Status.nonfinite
