"""Message passing for a matrix: its linear operators, and what it finds."""

import numpy as np
import pytest

from gaussequiv.algorithms.message_passing.matrix_amp import BLOCK, MatrixAMP, adjoint, fields
from gaussequiv.numerics.status import Status
from gaussequiv.problems.extensive_width.matrix_prior import MatrixPrior


def test_operators_are_those_of_the_dense_tensor():
    rng = np.random.default_rng(0)
    x, g, S = rng.standard_normal((30, 5)), rng.standard_normal(30), rng.standard_normal((5, 5))
    S = S + S.T
    Phi = (np.einsum("ni,nj->nij", x, x) - np.eye(5)) / np.sqrt(5)
    assert fields(x, S) == pytest.approx(np.einsum("nij,ij->n", Phi, S))
    assert adjoint(x, g) == pytest.approx(np.einsum("n,nij->ij", g, Phi))


def test_blocks_of_rows_add_up():
    rng = np.random.default_rng(1)
    x, S = rng.standard_normal((2 * BLOCK + 3, 4)), np.diag([1.0, 2.0, -1.0, 0.5])
    assert fields(x, S) == pytest.approx(((x**2) @ np.diag(S) - np.trace(S)) / 2)
    assert np.sum(adjoint(x, fields(x, S)) * S) == pytest.approx(np.sum(fields(x, S) ** 2))


def instance(d, alpha, noise, seed, values=(1.0,)):
    rng = np.random.default_rng(seed)
    k = d // 2
    v = np.resize(values, k)
    W, x = rng.standard_normal((k, d)), rng.standard_normal((round(alpha * d * d), d))
    S = (W.T * v) @ W / k
    prior = MatrixPrior(0.5, tuple(values), tuple(np.full(len(values), 1 / len(values))))
    return S, MatrixAMP(x, fields(x, S) + np.sqrt(noise) * rng.standard_normal(len(x)), noise, prior)


@pytest.mark.parametrize(("values", "theory"), [((1.0,), 0.39220), ((-1.0, 1.0), None)])
def test_it_finds_the_matrix_as_well_as_it_expects(values, theory):
    """At its fixed point error and expected error agree up to 1/d; .3922 is that of Maillard et al. 2024 at alpha = .2 without noise."""
    ratios = []
    for seed in range(4):
        S, machine = instance(80, 0.2, 0.0 if theory else 0.05, seed, values)
        state, status = machine.run(machine.init())
        assert status == Status.converged
        ratios.append(np.sum((state.estimate - S) ** 2) / 80 / state.error)
        if theory:
            assert 0.5 * state.error == pytest.approx(theory, rel=0.02)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.12)


def test_exact_recovery_ends():
    """Above alpha = 3/8 labels without noise give the matrix away: the expected error falls to nothing, which ends the run."""
    S, machine = instance(60, 0.55, 0.0, 0)
    state, status = machine.run(machine.init(), max_steps=2000)
    assert status == Status.converged
    assert np.sum((state.estimate - S) ** 2) / 60 < 1e-3


def test_an_iteration_that_ends_too_early_says_so():
    _, machine = instance(30, 0.3, 0.1, 0)
    assert machine.run(machine.init(), max_steps=3)[1] == Status.max_steps
