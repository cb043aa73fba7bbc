"""Every kind of matrix gives the same products, and none is copied."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator

import gaussequiv as ge
from gaussequiv.algorithms.message_passing.design import BLOCK_NUMBERS, Design, RowSource
from gaussequiv.algorithms.message_passing.gamp import GAMP
from gaussequiv.ingredients.channels.base import Sign

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 40)) * (RNG.random((300, 40)) < 0.3)
M, S = RNG.standard_normal(40), RNG.random(40) + 0.5
A, G = RNG.standard_normal(40), RNG.standard_normal(300)
C, H = RNG.random(40), RNG.random(300)


def kinds(x):
    return {
        "dense": x,
        "float32": x.astype(np.float32),
        "rows": RowSource(x.shape, lambda start, stop: x[start:stop], block=64),
        "csr": sparse.csr_matrix(x),
        "csc": sparse.csc_array(x),
        "operator": aslinearoperator(x),
    }


@pytest.mark.parametrize("kind", list(kinds(X)))
@pytest.mark.parametrize("centred", [False, True])
def test_products(kind, centred):
    design = Design(kinds(X)[kind], M if centred else None, S if centred else None)
    z = (X - M) / S if centred else X
    tolerance = 1e-5 if kind == "float32" else 1e-12
    assert design.product(A) == pytest.approx(z @ A, rel=tolerance, abs=tolerance)
    assert design.product(np.stack([A, C], 1)) == pytest.approx(z @ np.stack([A, C], 1), rel=tolerance, abs=tolerance)
    assert design.adjoint(G) == pytest.approx(z.T @ G, rel=tolerance, abs=tolerance)
    seen = np.zeros((2, 300))

    def respond(at, product, spread):
        seen[0, at] = product
        if spread is not None:
            seen[1, at] = spread
        return G[at], H[at]

    back, squares = design.sweep(A, C if design.squares else None, respond)
    assert seen[0] == pytest.approx(z @ A, rel=tolerance, abs=tolerance)
    assert back == pytest.approx(z.T @ G, rel=tolerance, abs=tolerance)
    if design.squares:
        assert seen[1] == pytest.approx(z**2 @ C, rel=tolerance, abs=tolerance)
        assert squares == pytest.approx((z**2).T @ H, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("variances", ["scalar", "vector"])
def test_message_passing_is_the_same_on_every_kind(variances):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((200, 100))
    y = np.sign(x @ rng.standard_normal(100))
    runs = {}
    for kind, matrix in kinds(x).items():
        if kind == "operator" and variances == "vector":
            continue
        runs[kind] = GAMP(matrix, y, np.ones(100), Sign(0.1), 0.0, 100, variances=variances).run()[0].a
    for kind, a in runs.items():
        assert a == pytest.approx(runs["dense"], abs=1e-4 if kind == "float32" else 1e-10), kind


def test_an_object_with_a_transpose_will_do():
    class Plain:
        shape = X.shape
        T = X.T

        def __matmul__(self, other):
            return X @ other

    assert Design(Plain()).adjoint(G) == pytest.approx(X.T @ G)


def test_no_second_dense_matrix_is_allocated():
    """Both kinds of variances, centring and scaling: the peak is a few blocks, whatever the size of the matrix."""
    n, d = 4000, 2000  # 64 MB
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((n, d)), np.where(rng.random(n) < 0.5, -1.0, 1.0)
    machines = [
        GAMP(x, y, np.ones(d), Sign(0.1), 0.0, d),
        GAMP(Design(x, np.full(d, 0.1), np.full(d, 1.1)), y, np.ones(d), Sign(0.1), 0.0, d, 1.0, "vector"),
    ]
    for machine in machines:
        tracemalloc.start()
        state = machine.init()
        for _ in range(3):
            state = machine.step(state)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 * 8 * BLOCK_NUMBERS < 0.2 * x.nbytes


def test_rows_on_the_fly_are_never_held_together():
    n, d = 4000, 2000
    made = []

    def rows(start, stop):
        made.append(stop - start)
        return np.random.default_rng((7, start)).standard_normal((stop - start, d))

    source = RowSource((n, d), rows, block=128)
    y = np.where(np.random.default_rng(0).random(n) < 0.5, -1.0, 1.0)
    tracemalloc.start()
    machine = GAMP(source, y, np.ones(d), Sign(0.1), 0.0, d)
    machine.step(machine.init())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.2 * n * d * 8
    assert sum(made) == n  # one pass over the rows for a step


def test_refusals():
    with pytest.raises(ge.ArgumentError, match="`x`"):
        Design([[1.0]])
    with pytest.raises(ge.ArgumentError, match="`x`"):
        Design(np.ones(3))
    with pytest.raises(ge.ArgumentError, match="`variances` must be 'scalar'"):
        GAMP(aslinearoperator(X), G, np.ones(40), Sign(0.1), 0.0, 40, variances="vector")
    with pytest.raises(ge.ArgumentError, match="`variances` must be 'scalar'"):
        Design(aslinearoperator(X)).sweep(A, C, lambda at, product, spread: (G, H))
