"""The equations of online SGD against those that were published, and against fixed small steps."""

import itertools

import jax
import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.problems.online_sgd import dynamics
from gaussequiv.problems.online_sgd.instance import instance_of

GAIN = 2**-0.5  # erf(x/sqrt(2))


def problem(**changes):
    own = {"generator": ge.RandomGenerator("sign", latent_ratio=0.4), "rate": 0.3, "readout_rate": 0.2, "dimension": 60, "instance": 3}
    networks = {"student": ge.TwoLayer("erf", 2, gain=GAIN), "teacher": ge.TwoLayer("erf", 2, gain=GAIN)}
    return ge.OnlineSGD(**(networks | own | changes))


def integrals(C):
    """I2, I3 and I4 of erf(x/sqrt(2)) (Saad, Solla 1995; Goldt et al. 2020, appendix), by index into C."""

    def i2(a, b):
        return 2 / np.pi * np.arcsin(C[a, b] / np.sqrt((1 + C[a, a]) * (1 + C[b, b])))

    def i3(a, b, c):
        root = (1 + C[a, a]) * (1 + C[c, c]) - C[a, c] ** 2
        return 2 / np.pi * (C[b, c] * (1 + C[a, a]) - C[a, b] * C[a, c]) / (np.sqrt(root) * (1 + C[a, a]))

    def i4(a, b, c, d):
        one, two, three, four = 1 + C[a, a], 1 + C[b, b], 1 + C[c, c], 1 + C[d, d]
        flat = one * two - C[a, b] ** 2
        low = flat * C[c, d] - C[b, c] * C[b, d] * one - C[a, c] * C[a, d] * two
        low += C[a, b] * C[a, c] * C[b, d] + C[a, b] * C[a, d] * C[b, c]
        left = flat * three - C[b, c] ** 2 * one - C[a, c] ** 2 * two + 2 * C[a, b] * C[a, c] * C[b, c]
        right = flat * four - C[b, d] ** 2 * one - C[a, d] ** 2 * two + 2 * C[a, b] * C[a, d] * C[b, d]
        return 4 / np.pi**2 / np.sqrt(flat) * np.arcsin(low / np.sqrt(left * right))

    return i2, i3, i4


def published(C, q, r, t, v, A, rho, delta, eta):
    """dr/dt and dq/dt of one mode as Goldt et al. 2020 print them, by regression on pairs of fields; no noise."""
    K, M = len(v), len(A)
    _, i3, i4 = integrals(C)

    def drift(along, of_student, of_teacher, k):
        """d of (mode of student k) times `along`, whose products with students and teachers' modes are given."""
        own = 0.0
        for j in range(K):
            if j == k:
                own += rho * v[k] * along * i3(k, k, k) / C[k, k]
                continue
            det = C[k, k] * C[j, j] - C[k, j] ** 2
            first, second = i3(k, k, j), i3(k, j, j)
            own += rho * v[j] * (along * (C[j, j] * first - C[k, j] * second) + of_student[j] * (C[k, k] * second - C[k, j] * first)) / det
        for n in range(M):
            det = C[k, k] * C[K + n, K + n] - C[k, K + n] ** 2
            first, second = i3(k, k, K + n), i3(k, K + n, K + n)
            own -= rho * A[n] * along * (C[K + n, K + n] * first - C[k, K + n] * second) / det
            own -= A[n] * of_teacher[n] * (C[k, k] * second - C[k, K + n] * first) / det / np.sqrt(delta)
        return -eta * v[k] * own

    dr = np.array([[drift(r[k, m], r[:, m], t[:, m], k) for m in range(M)] for k in range(K)])
    dq = np.zeros((K, K))
    for k, l in itertools.product(range(K), repeat=2):
        dq[k, l] = drift(q[k, l], q[:, l], r[l], k) + drift(q[k, l], q[:, k], r[k], l)
        square = sum(
            s * u * i4(k, l, a, b)
            for (a, s), (b, u) in itertools.product(list(enumerate(v)) + [(K + n, -one) for n, one in enumerate(A)], repeat=2)
        )
        dq[k, l] += eta**2 * rho * v[k] * v[l] * square
    return dr, dq


@pytest.mark.parametrize("units", [(2, 2), (3, 2)])
def test_the_published_equations_by_regression_have_the_same_rates(units):
    K, M = units
    task = problem(student=ge.TwoLayer("erf", K, gain=GAIN), teacher=ge.TwoLayer("erf", M, gain=GAIN))
    instance = instance_of(task, 60)
    state, given = dynamics.posed(task, instance)
    rate, _, _ = dynamics.equations(dynamics.averages_for(task))
    with jax.enable_x64(True):
        found = {name: np.asarray(value) for name, value in rate(0.0, state, given).items()}
    Q, R = instance.overlaps(instance.w)
    C = np.block([[Q, R], [R.T, instance.T]])
    for mode in (0, 7, instance.modes.rho.size - 1):
        one = instance.modes
        dr, dq = published(C, one.q[mode], one.r[mode], one.t[mode], instance.v, instance.A, one.rho[mode], instance.delta, 0.3)
        assert found["r"][..., mode] == pytest.approx(dr, rel=1e-10, abs=1e-10)
        assert found["q"][..., mode] == pytest.approx(dq, rel=1e-10, abs=1e-10)
    i2, _, _ = integrals(C)
    s = np.append(instance.v, -instance.A)
    assert found["v"] == pytest.approx([-0.2 * sum(s[a] * i2(k, a) for a in range(K + M)) for k in range(K)], rel=1e-10)


def test_modes_reproduce_the_overlaps():
    instance = instance_of(problem(), 60)
    modes = instance.modes
    Q, R = instance.overlaps(instance.w)
    assert np.einsum("g,gkl->kl", modes.share * modes.rho, modes.q) == pytest.approx(Q, rel=1e-10, abs=1e-12)
    assert np.einsum("g,gkm->km", modes.share, modes.r) / np.sqrt(instance.delta) == pytest.approx(R, rel=1e-10, abs=1e-12)
    assert modes.share.sum() == pytest.approx(1.0)


def test_equal_eigenvalues_are_one_mode():
    """A sign generator of D < N latents has N - D equal ones; iid inputs have one."""
    assert instance_of(problem(), 60).modes.rho.size <= 60
    plain = instance_of(problem(generator=ge.RandomGenerator(())), 60)
    assert plain.modes.rho.tolist() == [1.0] and plain.moments is None
    Q, R = plain.overlaps(plain.w)
    assert plain.modes.q[0] == pytest.approx(Q, rel=1e-12) and plain.modes.r[0] == pytest.approx(R, rel=1e-12)


def test_adaptive_steps_end_where_small_fixed_ones_do():
    task = problem()
    instance = instance_of(task, 60)
    state, given = dynamics.posed(task, instance)
    rate, observables, _ = dynamics.equations(dynamics.averages_for(task))
    with jax.enable_x64(True):
        move = jax.jit(rate)
        dt = 0.01
        for _ in range(300):  # the midpoint rule
            half = jax.tree.map(lambda y, dy: y + 0.5 * dt * dy, state, move(0.0, state, given))
            state = jax.tree.map(lambda y, dy: y + dt * dy, state, move(0.0, half, given))
        last = float(observables(0.0, state, given)["clean_error"])
    assert float(ge.solve(task, time=[3.0]).clean_error[0]) == pytest.approx(last, rel=2e-5)


def test_no_rate_keeps_the_start():
    curve = ge.solve(problem(rate=0.0, readout_rate=0.0), time=[0.0, 5.0])
    assert curve.clean_error[0] == pytest.approx(float(curve.clean_error[1]), rel=1e-12)


def test_a_student_that_is_the_teacher_stays():
    """Coinciding fields: no singularity and no force; label noise alone moves it."""
    one = ge.TwoLayer("erf", 1, readout="ones")
    task = ge.OnlineSGD(one, one, rate=0.5, dimension=60)
    instance = instance_of(task, 60)
    aligned = {"q": instance.T[..., None], "r": instance.T[..., None], "v": instance.A}
    rate, observables, _ = dynamics.equations(dynamics.averages_for(task))
    _, given = dynamics.posed(task, instance)
    with jax.enable_x64(True):
        moved = rate(0.0, aligned, given)
        error = float(observables(0.0, aligned, given)["clean_error"])
        noisy = rate(0.0, aligned, given | {"noise": 0.1})
    assert error == pytest.approx(0.0, abs=1e-12)
    assert all(np.allclose(np.asarray(part), 0.0, atol=1e-7) for part in moved.values())
    assert float(noisy["q"][0, 0, 0]) > 1e-3


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_second_curve_of_the_same_shapes_compiles_nothing(activation, caplog):
    """Another generator, rates, noise and N within the same sizes of arrays; the first curve compiles, or the count means nothing."""

    def curve(**changes):
        network = ge.TwoLayer(activation, 2, gain=0.87)  # of no other test
        networks = {"student": network, "teacher": network}
        caplog.clear()
        with jax.log_compiles():
            ge.solve(problem(**(networks | {"rate": 0.1} | changes)), time=[0.0, 1.0, 2.0])
        return [record.getMessage() for record in caplog.records if "Finished XLA compilation" in record.getMessage()]

    assert curve(dimension=61)
    assert curve(dimension=62, rate=0.2, noise=0.1, batch=2, instance=4, generator=ge.RandomGenerator("tanh", latent_ratio=0.7)) == []
