"""Convex learners against published and independently computed numbers, and against fits of real samples of true networks."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import Sign
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.numerics.status import Status


def prints(value, text):
    """Whether a value rounds to a printed decimal, within 1.01 half units of its last digit."""
    digits = len(text.partition(".")[2])
    return abs(float(value) - float(text)) <= 0.505 * 10.0**-digits


def tanh2x(**options):
    return ge.DeepNetwork("tanh", 2, weight_variance=4, task="classification", **options)


def solved(learner, alpha, target=None):
    e = ge.Problem(target or tanh2x()).equivalent()
    return learner.solve(e, np.atleast_1d(np.asarray(alpha, float)))


def sign_teacher(channel=None):
    one = np.ones(1)
    return ge.GaussianEquivalent(one, one, one, 1.0, np.zeros(1), 0.0, channel or Sign(0.0))


# Loureiro et al. 2021, eq. 3.4, two hidden layers tanh(2x): independent SciPy computation. error, train loss, q
@pytest.mark.parametrize(
    ("loss", "lam", "alpha", "error", "train", "q"),
    [
        ("logistic", 0.1, 0.7, "0.3538", "0.2015", "1.691"),
        ("logistic", 0.01, 0.7, "0.3578", "0.0448", "8.551"),
        ("square", 0.1, 0.7, "0.3691", "0.0205", None),
        ("hinge", 0.5, 0.7, "0.3595", None, "0.624"),
        ("hinge", 0.0, 0.7, "0.3671", "0", "1.177"),
        ("logistic", 0.0, 0.7, "0.3671", "0", "1.177"),
        ("logistic", 0.1, 2.4, "0.2675", "0.2538", "4.198"),
        ("logistic", 0.01, 2.4, "0.2795", "0.1123", "28.87"),
        ("square", 0.1, 2.4, "0.2777", "0.1577", None),
        ("hinge", 0.0, 0.25, "0.41305", "0", None),
        ("hinge", 0.0, 0.5, "0.38356", "0", None),
        ("hinge", 0.0, 1.0, "0.34828", "0", None),
    ],
)
def test_losses_on_a_deep_target(loss, lam, alpha, error, train, q):
    r = solved(ge.ERM(loss, lam), alpha)
    assert prints(r["test_error"][0], error)
    assert train is None or prints(r["train_loss"][0], train)
    assert q is None or prints(r["q"][0], q)


def test_logistic_curve_printed_by_the_authors():
    """Cui, Krzakala, Zdeborova 2023, eq. 275, lambda = 0.1."""
    r = solved(ge.Logistic(0.1), [0.1, 2.4, 4.7, 7.0])
    for value, text in zip(r["test_error"], ("0.441938", "0.267492", "0.228159", "0.211692"), strict=True):
        assert prints(value, text)


def test_square_loss_list_printed_by_the_authors():
    """Cui, Krzakala, Zdeborova 2023, eq. 272, lambda = 0.1, first points of linspace(0.1, 7, 20)."""
    printed = ("0.442536", "0.386484", "0.361930", "0.340603", "0.317681", "0.297855", "0.282122", "0.269730", "0.259829", "0.251773")
    r = solved(ge.ERM("square", 0.1), np.linspace(0.1, 7, 20)[:10])
    for value, text in zip(r["test_error"], printed, strict=True):
        assert abs(value - float(text)) < 1e-6


@pytest.mark.parametrize(
    ("alpha", "lam", "logistic", "square"),
    [
        (0.5, "0.198", "8.9e-7", "6.5e-5"),
        (1.0, "0.186", "3.9e-6", "3.1e-4"),
        (2.0, "0.170", "1.9e-5", "1.0e-3"),
        (4.0, "0.154", "6.6e-5", "2.0e-3"),
        (7.0, "0.145", "1.1e-4", "2.1e-3"),
    ],
)
def test_excess_of_optimal_learners_over_bayes(alpha, lam, logistic, square):
    """The insets of the figure of Cui, Krzakala, Zdeborova 2023, computed independently."""
    e = ge.Problem(tanh2x()).equivalent()
    at = np.array([alpha])
    bayes = ge.BayesOptimal().solve(e, at)["test_error"][0]
    for loss, text in (("logistic", logistic), ("square", square)):
        r = ge.ERM(loss, "optimal").solve(e, at)
        excess, unit = r["test_error"][0] - bayes, 10.0 ** (-1 + int(text.partition("e")[2]))
        assert abs(excess - float(text)) <= 0.51 * unit + 1e-9, (loss, excess)
        if loss == "logistic":
            assert prints(r["lam"][0], lam)
        else:
            assert r["lam"][0] == pytest.approx(1.1564, abs=5e-5)


# Covariate model with rho = 1, isotropic, alpha = 2, lam = 0.1: m, q, V; Loureiro et al. 2021, computed independently.
@pytest.mark.parametrize(
    ("channel", "loss", "printed"),
    [
        (Sign(0.25), "logistic", ("1.528825", "3.892358", "3.766173")),
        (Sign(0.25), "square", ("0.653397", "0.783625", "0.844289")),
        (Sign(0.25), "hinge", ("1.45922", "3.95364", "2.09210")),
        (Sign(0.0), "logistic", ("1.720313", "4.145804", "3.976546")),
        (Binary("logit"), "logistic", ("0.831003", "2.941897", "3.270121")),
        (Binary("logit"), "square", ("0.378352", "0.742378", "0.844289")),
        (Binary("logit"), "hinge", ("0.81882", "3.50305", "1.96846")),
    ],
)
def test_order_parameters(channel, loss, printed):
    r = ge.ERM(loss, 0.1).solve(sign_teacher(channel), np.array([2.0]))
    for key, text in zip("mqV", printed, strict=True):
        assert prints(r[key][0], text), key


# Aubin, Krzakala, Lu, Zdeborova 2020: noiseless sign teacher; logistic at lam*, hinge at lam*, ridge at lam*, logistic at 1e-4
@pytest.mark.parametrize(
    ("alpha", "logistic", "hinge", "ridge", "small"),
    [
        (1.0, ".25440", ".26241", ".25708", ".25905"),
        (2.0, ".17459", ".18498", ".18603", ".18013"),
        (5.0, ".08398", None, ".11340", ".08700"),
        (10.0, ".04360", None, ".07828", ".04464"),
        (30.0, ".01471", None, ".04435", ".01472"),
    ],
)
def test_noiseless_sign_teacher(alpha, logistic, hinge, ridge, small):
    e, at = sign_teacher(), np.array([alpha])
    for learner, text in (
        (ge.Logistic("optimal"), logistic),
        (ge.SVM("optimal"), hinge),
        (ge.ERM("square", "optimal"), ridge),
        (ge.Logistic(1e-4), small),
    ):
        r = learner.solve(e, at)
        assert r["status"][0] == Status.converged
        # printed values carry an error of one unit: their penalties were found to two digits
        assert text is None or abs(r["test_error"][0] - float(text)) <= 1.01e-5, (learner.label, r["test_error"][0])


def test_max_margin_falls_as_half_over_alpha():
    """Aubin, Krzakala, Lu, Zdeborova 2020: alpha times the error tends to .500."""
    alpha = np.array([1e3, 1e4, 1e5])
    r = ge.SVM(0).solve(sign_teacher(), alpha)
    assert np.all(r["status"] == Status.converged)
    assert alpha * r["test_error"] == pytest.approx(np.full(3, 0.5005), abs=1e-4)


def test_ridge_falls_as_the_root():
    """eps = sqrt((pi/2 - 1)/alpha)/pi."""
    r = ge.ERM("square", np.pi / 2 - 1).solve(sign_teacher(), np.array([1e5]))
    assert r["test_error"][0] * np.sqrt(1e5) == pytest.approx(np.sqrt(np.pi / 2 - 1) / np.pi, rel=1e-4)


# Logistic with lam = 0.2 at alpha = 2 on two layers tanh(2x + 0.7) with b0 = f sqrt(rho): error, intercept; without: error, q
@pytest.mark.parametrize(
    ("f", "error", "intercept", "without", "q"), [(0.5, "0.2526", "1.128", "0.3412", "1.783"), (1.0, "0.1535", "2.211", "0.4235", None)]
)
def test_offsets_with_and_without_an_intercept(f, error, intercept, without, q):
    shifted = ge.Activation(lambda x: np.tanh(2 * x + 0.7), name="tanh(2x+0.7)", smooth=True)
    e = ge.Problem(ge.DeepNetwork(shifted, 2, task="classification")).equivalent()
    e = e.with_offset(f * np.sqrt(e.rho))
    r = ge.Logistic(0.2, intercept=True).solve(e, np.array([2.0]))
    assert prints(r["test_error"][0], error)
    assert prints(r["intercept"][0], intercept)
    r = ge.Logistic(0.2, intercept=False).solve(e, np.array([2.0]))
    assert prints(r["test_error"][0], without)
    assert q is None or prints(r["q"][0], q)


def sample_fits(target, learner, alpha, d, seeds):
    """Errors on fresh rows of scikit-learn fits on x/sqrt(d), each seed with its own true network."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    errors, squares = [], []
    intercept = bool(learner.intercept)
    for seed in range(seeds):
        rng = np.random.default_rng([5, seed])
        network = target.sample(rng, d, normalise=True)
        n, test = round(alpha * d), 4000
        x = rng.standard_normal((n + test, d))
        field = network(x)
        if target.offset is not None:
            field = field - network(rng.standard_normal((4000, d))).mean() + target.offset
        y = target.channel.sample(rng, field)
        z = x / np.sqrt(d)
        if learner.loss.name == "logistic":
            model = LogisticRegression(C=1 / learner.lam, fit_intercept=intercept, tol=1e-8, max_iter=5000)
        else:
            model = SVC(kernel="linear", C=1 / learner.lam, tol=1e-6)
        model.fit(z[:n], y[:n])
        errors.append((model.predict(z[n:]) != y[n:]).mean())
        squares.append(float(np.sum(model.coef_**2)) / d)
    return np.array(errors), np.array(squares)


SIMULATED = {
    "logistic": (tanh2x(), ge.Logistic(0.1, intercept=False), 2.0),
    "logistic, small penalty": (tanh2x(), ge.Logistic(0.01, intercept=False), 1.0),
    "noisy": (tanh2x(noise=0.2), ge.Logistic(0.5, intercept=False), 3.0),
    "flips": (tanh2x(flips=0.1), ge.Logistic(0.3, intercept=False), 2.0),
    "logit": (tanh2x(labels="logit:0.3"), ge.Logistic(0.3, intercept=False), 2.0),
    "hinge with an intercept": (tanh2x(), ge.SVM(0.3, intercept=True), 1.5),
}


@pytest.mark.parametrize("name", SIMULATED)
def test_fits_of_true_networks(name):
    """16 networks at d = 200: 4 standard errors plus 1% (the bias of the error is below 2/d in all these cases)."""
    target, learner, alpha = SIMULATED[name]
    r = learner.solve(ge.Problem(target).equivalent(), np.array([alpha]))
    errors, squares = sample_fits(target, learner, alpha, 200, 16)
    for got, want in ((errors, r["test_error"][0]), (squares, r["q"][0])):
        assert abs(got.mean() - want) < 4 * got.std(ddof=1) / 4 + 0.01 * want


@pytest.mark.slow
@pytest.mark.parametrize("name", SIMULATED)
def test_fits_of_larger_networks(name):
    target, learner, alpha = SIMULATED[name]
    r = learner.solve(ge.Problem(target).equivalent(), np.array([alpha]))
    errors, squares = sample_fits(target, learner, alpha, 500, 32)
    for got, want in ((errors, r["test_error"][0]), (squares, r["q"][0])):
        assert abs(got.mean() - want) < 4 * got.std(ddof=1) / np.sqrt(32) + 0.005 * want
