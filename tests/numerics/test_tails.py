"""Normal tails against the law that they normalise: u > 0 of density exp(t u - u^2/2) has integral 1/r, mean t + r, variance 1 - bend."""

import numpy as np
import pytest
from scipy import integrate, stats

from gaussequiv.numerics.tails import bend, inverse_mills


@pytest.mark.parametrize("t", [-1e6, -300.0, -80.5, -79.5, -50.5, -20.0, -3.0, -0.7, 0.0, 0.4])
def test_on_the_left_against_integrals(t):
    unit = min(1.0, 1 / max(-t, 1e-9))
    law = lambda v, power: v**power * np.exp(t * unit * v - 0.5 * (unit * v) ** 2)  # noqa: E731
    total, first, second = (integrate.quad(law, 0, 60, (power,), epsabs=0, epsrel=1e-13, limit=200)[0] for power in range(3))
    assert inverse_mills(t) == pytest.approx(1 / (unit * total), rel=1e-12)
    variance = unit**2 * (second / total - (first / total) ** 2)
    assert bend(t) == pytest.approx(1 - variance, abs=1e-11)
    if t > -1e3:
        assert 1 - bend(t) == pytest.approx(variance, rel=1e-7)


@pytest.mark.parametrize("t", [0.4, 2.0, 6.0, 25.0])
def test_on_the_right_against_the_definition(t):
    r = stats.norm.pdf(t) / stats.norm.cdf(t)
    assert inverse_mills(t) == pytest.approx(r, rel=1e-12)
    assert bend(t) == pytest.approx(r * (t + r), rel=1e-12)


def test_the_end():
    assert bend(np.array([np.inf])).tolist() == inverse_mills(np.array([np.inf])).tolist() == [0.0]
