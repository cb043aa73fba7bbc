"""Ordinary pieces in unusual company: values that plainer and slower quadrature gave, at a small fraction of its time.

Times are those of one processor, bounded at several times what a usual one takes.
"""

import time

import numpy as np
import pytest
from scipy.special import ndtr

import gaussequiv as ge
from benchmarks.compositions import hump, pseudo_huber, rising, squared_softplus, tube
from gaussequiv.errors import AccuracyWarning


def target(**labels):
    """Biases bring an offset, over whose law everything is averaged."""
    return ge.DeepNetwork("tanh", bias_variance=0.3, readout_bias_variance=0.2, **labels)


def labelled(link):
    return target(task="classification", labels=link)


def noisy_tanh():
    return target(labels=ge.Output(np.tanh, noise=0.1))


def laplace():
    """Labels of a user's likelihood, whose kink moves with the field."""
    return target(labels=ge.LogLikelihood(lambda y, z: -2 * np.abs(y - z), name="laplace"))


CASES = {
    "logistic on a user's link": (lambda: ge.Problem(labelled(rising), learner=ge.ERM("logistic", 0.1)), 0.32871860337056, 6.0),
    "logistic on a hump": (lambda: ge.Problem(labelled(hump), learner=ge.ERM("logistic", 0.1)), 0.388786693733196, 12.0),
    "optimal ridge on a user's link": (lambda: ge.Problem(labelled(rising), learner=ge.Ridge("optimal")), 0.309412490925918, 20.0),
    "Bayes on a user's link": (lambda: ge.Problem(labelled(rising), learner=ge.BayesOptimal()), 0.309391511027727, 3.5),
    "custom loss on a nonlinear output": (lambda: ge.Problem(noisy_tanh(), learner=ge.ERM(pseudo_huber(), 0.1)), 0.269556203216481, 11.0),
    "Huber on a nonlinear output": (lambda: ge.Problem(noisy_tanh(), learner=ge.ERM("huber", 0.1)), 0.273055297018016, 4.0),
    "Huber on weighted samples": (
        lambda: ge.Problem(noisy_tanh(), learner=ge.ERM("huber", 0.1, sample_weight=((1.0, 0.9), (0.1, 0.1)))),
        0.274903451534139,
        6.0,
    ),
    "Bayes on a nonlinear output": (lambda: ge.Problem(noisy_tanh(), learner=ge.BayesOptimal()), 0.198488366379438, 9.0),  # 16 nodes
    "residual loss on labels": (
        lambda: ge.Problem(target(task="classification"), learner=ge.ERM(pseudo_huber(), 0.1)),
        0.214749527889573,
        6.0,
    ),
    "custom loss of the margin": (
        lambda: ge.Problem(target(task="classification"), learner=ge.ERM(squared_softplus(), 0.1)),
        0.186371096242157,
        6.0,
    ),
    "lasso on labels": (
        lambda: ge.Problem(target(task="classification"), learner=ge.ERM("logistic", 0.1, penalty="l1")),
        0.206907313036222,
        15.0,
    ),
    "Huber at its best penalty": (lambda: ge.Problem(noisy_tanh(), learner=ge.ERM("huber", "optimal")), 0.201909584745027, 4.0),
    "absolute loss at its best penalty on |field|": (
        lambda: ge.Problem(target(labels=ge.Output(np.abs, noise=0.1, kinks=(0,))), learner=ge.ERM("absolute", "optimal")),
        0.267478479678197,
        9.0,
    ),
    "hinge at its best penalty": (
        lambda: ge.Problem(target(task="classification", noise=0.1), learner=ge.ERM("hinge", "optimal")),
        0.233491856475279,
        7.0,
    ),
    "kernel at its best penalty": (
        lambda: ge.Problem(target(task="classification"), learner=ge.ERM("logistic", "optimal"), features=ge.NNGP(["relu"])),
        0.186033526207700,
        6.0,
    ),
    "Huber on counts": (lambda: ge.Problem(target(labels="poisson"), learner=ge.ERM("huber", 0.1)), 3.10889573758204, 7.0),
    "Huber on a likelihood of the residual": (lambda: ge.Problem(laplace(), learner=ge.ERM("huber", 0.1)), 1.11597659995818, 3.0),
    "absolute loss on a likelihood of the residual": (
        lambda: ge.Problem(laplace(), learner=ge.ERM("absolute", 0.1)),
        1.46046277537111,
        3.0,
    ),
    "Huber at its best penalty on a likelihood of the residual": (
        lambda: ge.Problem(laplace(), learner=ge.ERM("huber", "optimal")),
        0.729337684501463,
        20.0,
    ),
    "lasso on a nonlinear output": (
        lambda: ge.Problem(noisy_tanh(), learner=ge.ERM("huber", 0.1, penalty="l1")),
        0.251587804901538,
        2.5,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_times(name):
    describe, expected, allowed = CASES[name]
    problem = describe()
    start = time.process_time()
    curve = ge.solve(problem, alpha=1.3)
    used = time.process_time() - start
    assert curve.converged.item()
    rule = 3e-7 if name == "Bayes on a nonlinear output" else 1e-9  # what four nodes on a panel of offsets leave
    assert curve.test_error.item() == pytest.approx(expected, rel=rule)
    assert used < allowed, f"{used:.1f} s of CPU time"


@pytest.mark.parametrize("lam", [1e3, 1e1])
def test_a_hinge_of_few_weights_sits_at_its_kink(lam):
    """The best constant of a frequent label is the kink, which hardly a row misses: the response is seen from there alone."""
    problem = ge.Problem(target(task="classification", noise=0.1, offset=0.7), learner=ge.ERM("hinge", lam))
    curve = ge.solve(problem, alpha=1.3)
    assert curve.converged.item() and curve.steps.item() < 100
    assert curve.intercept.item() == pytest.approx(1.0, abs=10 / lam)


def test_a_loss_flat_on_an_interval_at_a_small_penalty():
    """Newton's method does not come from afar to where nearly all rows cost nothing; short steps of lam do."""
    problem = ge.Problem(ge.DeepNetwork("tanh", labels=ge.Output(np.tanh, noise=0.1), offset=0.6), learner=ge.ERM(tube(), 0.02))
    start = time.process_time()
    curve = ge.solve(problem, alpha=1.3)
    assert curve.converged.item() and time.process_time() - start < 5
    run = ge.simulate(problem, alpha=1.3, d=100, trials=16, seed=0, progress=False)
    gap = abs(run.test_error_mean.item() - curve.test_error.item())
    assert gap < 4 * run.test_error_stderr.item() + 3 / 100 * curve.test_error.item()


def test_an_intercept_where_nearly_all_labels_are_alike():
    """A residual loss whose best constant is near 1: E g^2 hangs on the last bits of the intercept there, its variance does not."""
    problem = ge.Problem(target(task="classification", offset=3.8), learner=ge.ERM(pseudo_huber(), 0.1))
    curve = ge.solve(problem, alpha=1.3)
    equivalent = problem.equivalent()
    rare = float(ndtr(-3.8 / np.sqrt(equivalent.rho)))
    assert curve.converged.item() and curve.steps.item() < 150
    assert curve.test_error.item() == pytest.approx(rare, rel=1e-6)  # always the frequent label
    assert abs(1 - curve.intercept.item()) < 10 * rare + 1e-15


@pytest.mark.parametrize(
    ("labels", "learner"),
    [
        ("quantised:-1/0/1", lambda: ge.ERM("absolute", 1.0)),
        ("poisson", lambda: ge.ERM("absolute", 1.0)),
        ("sign", lambda: ge.ERM("hinge", 1.0, penalty="l1")),
    ],
)
def test_students_that_the_rows_of_a_frequent_label_hold_at_no_weights(labels, learner):
    """Their constant is that label, of probability p: its rows alone outweigh the rest, and the error is that of the constant."""
    binary = labels == "sign"
    words = {"task": "classification"} if binary else {"labels": labels}
    side = -1.0 if labels == "poisson" else 1.0
    problem = ge.Problem(ge.DeepNetwork((), offset=3.4 * side, **words), learner=learner())
    curve = ge.solve(problem, alpha=1.3)
    constant = {"quantised:-1/0/1": 3.0, "poisson": 0.0, "sign": 1.0}[labels]
    if binary:
        expected = float(ndtr(-3.4))
    else:
        mean, _, scatter, noise = problem.equivalent().channel.label_moments(np.array([3.4 * side]), 1.0)
        expected = (scatter + noise + (mean - constant) ** 2).item()
    assert curve.converged.item() and curve.q.item() < 1e-20
    assert curve.test_error.item() == pytest.approx(expected, rel=1e-9)
    assert curve.intercept.item() == pytest.approx(constant, abs=1e-9)


@pytest.mark.parametrize(
    ("words", "learner", "allowed"),
    [
        ({"labels": "quantised:-1/0/1"}, lambda: ge.ERM("absolute", 1.0), 15.0),
        ({"labels": "poisson"}, lambda: ge.ERM("absolute", 1.0), 20.0),
        ({"task": "classification"}, lambda: ge.ERM("hinge", 1.0, penalty="l1"), 10.0),
        ({"task": "classification"}, lambda: ge.ERM("hinge", 0.1, penalty="l1"), 12.0),
    ],
)
def test_offsets_at_some_of_which_no_weight_is_left(words, learner, allowed):
    start = time.process_time()
    curve = ge.solve(ge.Problem(target(**words), learner=learner()), alpha=1.3)
    used = time.process_time() - start
    assert curve.converged.item() and np.isfinite(curve.test_error.item())
    assert used < allowed, f"{used:.1f} s of CPU time"


def held_by_zeros(offset):
    """Counts of mean exp(field), most of which are 0 at a negative offset."""
    return ge.Problem(ge.DeepNetwork("tanh", labels="poisson", offset=offset), learner=ge.ERM("absolute", 0.1))


def test_weights_vanish_at_finite_size_where_theory_says_so():
    """Rows of the count 0 hold the constant there and the weights at 0 exactly; on the other side both have weights."""
    alpha, runs = 10.0, dict(d=50, trials=16, seed=0, progress=False)
    vanished, learned = (ge.solve(held_by_zeros(offset), alpha=alpha) for offset in (-1.3, -0.6))
    assert vanished.q.item() < 1e-20 and abs(vanished.intercept.item()) < 1e-9
    run = ge.simulate(held_by_zeros(-1.3), alpha=alpha, **runs)
    assert run.q_mean.item() < 1e-6
    assert abs(run.test_error_mean.item() - vanished.test_error.item()) < 4 * run.test_error_stderr.item()
    run = ge.simulate(held_by_zeros(-0.6), alpha=alpha, **runs)
    assert abs(run.q_mean.item() - learned.q.item()) < 4 * run.q_stderr.item() + 3 / 50 * learned.q.item()


def test_weights_appear_where_they_lower_the_objective():
    """loss + lam q/(2 alpha) is that of the constant 0, E y, where weights vanish, and falls below it from there on, little at first."""
    alpha, lam = 10.0, 0.1
    gaps = []
    for offset in (-1.0, -0.97, -0.95, -0.94, -0.9, -0.8):
        problem = held_by_zeros(offset)
        curve = ge.solve(problem, alpha=alpha)
        assert curve.converged.item()
        constant = problem.equivalent().channel.label_moments(np.array([offset]), problem.equivalent().rho).mean.item()
        gaps.append(1 - (curve.train_loss.item() + lam * curve.q.item() / (2 * alpha)) / constant)
    assert np.abs(gaps[:2]).max() < 1e-9
    assert 0 < gaps[2] < 1e-3 < gaps[4]
    before, after = (ge.solve(held_by_zeros(offset), alpha=alpha) for offset in (-0.96, -0.94))  # as docs/sharp_bits.md tells
    assert (before.q.item(), before.test_error.item()) == pytest.approx((0.0, 0.789), abs=5e-4)
    assert (after.q.item(), after.test_error.item()) == pytest.approx((0.069, 0.614), abs=5e-4)
    assert np.all(np.diff(gaps[1:]) > 0)


def test_an_average_over_a_cusp_says_so_and_one_over_nothing_does_not():
    quantised = ge.Problem(target(labels="quantised:-1/0/1"), learner=ge.ERM("absolute", 0.1))
    with pytest.warns(AccuracyWarning, match="it has a cusp or ripples"):
        assert ge.solve(quantised, alpha=10.0).converged.item()
    flat = ge.Problem(target(labels=ge.Output(lambda z: 0 * z + 2.0, name="flat")), learner=ge.ERM("huber", 0.1))
    assert ge.solve(flat, alpha=1.3).test_error.item() == pytest.approx(0, abs=1e-12)


def test_a_kernel_that_fits_all_rows_into_a_tube():
    """At small penalties every row lies in the tube, and the student does not change with lam: any such penalty is the best."""
    seen = ge.DeepNetwork("erf", readout_bias_variance=0.2, labels=ge.Output(np.tanh, noise=0.1))
    best, some, more = (
        ge.solve(ge.Problem(seen, features=ge.NNGP(["relu"]), learner=ge.ERM(tube(), lam)), alpha=4.0) for lam in ("optimal", 0.01, 1.0)
    )
    assert best.converged.item() and best.lam.item() < 0.1
    assert best.test_error.item() == pytest.approx(some.test_error.item(), rel=1e-7)
    assert best.test_error.item() < more.test_error.item() - 0.01
