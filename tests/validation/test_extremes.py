"""Random problems at the ends of every range: a finite curve, a status or a named error, in bounded time."""

import signal
import warnings

import numpy as np
import pytest
from scipy import special

import gaussequiv as ge
from gaussequiv.ingredients import activations
from gaussequiv.ingredients.activations import dual_kernels, names
from gaussequiv.ingredients.channels.links import LogitLink
from gaussequiv.learners.convex.model import Model
from gaussequiv.learners.convex.routes import Routes

needs_timer = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="CPU time is bounded by a POSIX timer")
NAMES = [name for name in names() if ":" not in name]
CLOSED = ("linear", "erf", "relu", "leaky_relu", "abs", "sign", "sine")
LOSSES = ("square", "huber", "huber:0.01", "absolute", "quantile:0.2")
MARGINS = ("logistic", "hinge", "squared_hinge", "exponential", "square", "huber", "absolute")


def quadratic(x):
    return 0.3 * x**2 - x


def bump(x):
    return np.exp(-(x**2))


def steep(x):
    return np.tanh(50 * x)


def clipped(x):
    return np.clip(x, -1.0, 1.0)


def rising(z):
    return 0.05 + 0.9 / (1 + np.exp(-3 * np.clip(z, -50, 50)))


def stepped(z):
    return np.where(z > 0.3, 0.9, np.where(z > -0.5, 0.4, 0.1))


def hump(z):
    return 0.1 + 0.8 * np.exp(-((z - 0.5) ** 2))


def pseudo_huber(r):
    return np.sqrt(1 + r**2) - 1


USER = (quadratic, bump, ge.Activation(clipped, name="clip", kinks=(-1, 1)))
FUNCTIONS = (np.tanh, clipped, quadratic, steep)
LINKS = (rising, stepped, hump)
CUSTOM = ge.CustomLoss(
    pseudo_huber, "residual", name="pseudo-huber", slope=lambda r: r / np.sqrt(1 + r**2), curvature=lambda r: (1 + r**2) ** -1.5
)


def decades(rng, low, high, size=None):
    return 10.0 ** rng.uniform(low, high, size)


def magnitude(rng, ends=8, size=None):
    """A positive number, near 1 or anywhere within 10^(-ends)..10^ends."""
    return decades(rng, -1, 1, size) if rng.random() < 0.4 else decades(rng, -ends, ends, size)


def one_of(rng, *options):
    return options[rng.integers(len(options))]


def random_layer(rng):
    draw = rng.random()
    if draw < 0.1:
        return one_of(rng, *USER)
    if draw < 0.2:
        return f"hermite:{rng.integers(0, 7)}"
    if draw < 0.3:
        return f"leaky_relu:{rng.uniform(0, 1):.2f}"
    return str(rng.choice(NAMES))


def random_layers(rng, depths, quick=False):
    depth = int(rng.choice(depths))
    kinds = [str(rng.choice(CLOSED)) if quick else random_layer(rng) for _ in range(min(depth, 3))]
    layers = [kinds[i % len(kinds)] for i in range(depth)]
    one = rng.random() < 0.5
    weights = magnitude(rng) if one else tuple(magnitude(rng, size=depth))
    biases = 0.0 if rng.random() < 0.6 else magnitude(rng) if one else tuple(magnitude(rng, size=depth))
    return {"activations": layers, "weight_variance": weights, "bias_variance": biases}


def random_inputs(rng):
    spectrum = one_of(
        rng,
        lambda: "identity",
        lambda: f"identity:{magnitude(rng):.4g}",
        lambda: ge.PowerLaw(rng.uniform(0, 0.9)),
        lambda: ge.TwoLevel(magnitude(rng), one_of(rng, 0.0, magnitude(rng)), rng.uniform(0.001, 0.999)),
        lambda: ge.MarchenkoPastur(magnitude(rng, 3), cells=100),
        lambda: np.append(magnitude(rng, 8, 8), np.zeros(rng.integers(0, 4))),
    )()
    mean = 0.0 if rng.random() < 0.7 else float(rng.choice([-1, 1]) * np.sqrt(magnitude(rng)))
    return ge.GaussianInputs(spectrum, mean=mean)


def random_noise(rng):
    return float(one_of(rng, 0.0, decades(rng, -2, 1), decades(rng, -12, 4)))


def random_labels(rng, quick):
    """Arguments of the label law."""
    if quick:
        noise = random_noise(rng)
        if rng.random() < 0.4:
            return {"task": "regression", "noise": noise}
        law = one_of(rng, None, "sign", f"logit:{magnitude(rng):.4g}", "random:0.3")
        return {"task": "classification", "labels": law, "noise": noise, "flips": one_of(rng, 0.0, 0.0, 0.1, (0.3, 0.01))}
    if rng.random() < 0.5:
        law = one_of(rng, None, None, "abs", "relu", "quantised:-1/0/1", "poisson", *FUNCTIONS)
        if callable(law):
            return {"labels": ge.Output(law, noise=random_noise(rng), kinks=(-1, 1) if law is clipped else ())}
        return {"task": "regression", "labels": law, "noise": 0.0 if law == "poisson" else random_noise(rng)}
    law = one_of(rng, None, None, "sign", f"logit:{magnitude(rng):.4g}", "random:0.3", *LINKS)
    flips = one_of(rng, 0.0, 0.0, 0.1, (0.3, 0.01))
    return {"task": "classification", "labels": law, "noise": random_noise(rng), "flips": flips}


def random_target(rng, quick):
    labels = random_labels(rng, quick)
    offset = (
        None if rng.random() < (0.1 if quick else 0.5) else float(one_of(rng, 0.0, rng.normal(), rng.normal() * np.sqrt(magnitude(rng))))
    )
    if not quick and rng.random() < 0.1:
        prior = one_of(rng, "gaussian", f"gaussian:{magnitude(rng):.4g}", "rademacher", "gauss-bernoulli:0.1", "sparse-rademacher:0.01")
        return ge.LinearTarget(prior, offset=offset, **labels)
    layers = random_layers(rng, [0, 1, 1, 2, 2, 3, 5, 10, 30, 100], quick)
    readout = {"readout_variance": magnitude(rng), "readout_bias_variance": 0.0 if rng.random() < 0.6 else magnitude(rng)}
    return ge.DeepNetwork(**layers, **readout, **labels, offset=offset)


def random_features(rng, quick):
    draw = rng.random()
    if draw < 0.6:
        return None
    if draw < 0.8:
        layers = random_layers(rng, [1] if quick else [1, 1, 2, 3], quick)
        layers |= {"bias_variance": 0.0} if quick else {}
        ratio = tuple(magnitude(rng, 3, len(layers["activations"])))
        return ge.RandomFeatures(**layers, ratio=ratio)
    if draw < 0.9:
        layers = random_layers(rng, [1, 1, 2, 3, 10, 100], quick)
        return one_of(rng, ge.NNGP, ge.NTK)(**layers, readout_variance=magnitude(rng))
    return ge.DotProductKernel(one_of(rng, np.exp, np.sinh, np.square, lambda x: (1 + x) ** 3))


def random_learner(rng, task):
    draw = rng.random()
    if draw < 0.3:
        return ge.BayesOptimal()
    lam = one_of(rng, "optimal", 0.0, magnitude(rng), magnitude(rng), 1e-12)
    intercept = one_of(rng, None, True, False)
    if draw < 0.5:
        return ge.Ridge(one_of(rng, lam, np.inf), intercept)
    penalty = "l2" if rng.random() < 0.9 else one_of(rng, "l1", "elastic_net:0.5")
    if task == "classification":
        weights = one_of(rng, None, None, {-1: magnitude(rng, 3), 1: magnitude(rng, 3)})
        loss = str(rng.choice(MARGINS))
        return ge.ERM(loss, lam=lam, penalty=penalty, intercept=intercept, class_weight=weights)
    samples = one_of(rng, None, None, None, ((1.0, 0.9), (magnitude(rng, 3), 0.1)))
    return ge.ERM(one_of(rng, *LOSSES, CUSTOM), lam=lam, penalty=penalty, intercept=intercept, sample_weight=samples)


def random_problem(rng, quick=False):
    """`quick`: activations and label laws of closed forms, one layer of features without biases."""
    target = random_target(rng, quick)
    return ge.Problem(target, random_inputs(rng), random_learner(rng, target.task), random_features(rng, quick))


class OutOfTime(BaseException):
    """The CPU time allowed is used up."""


class Bounded:
    """At most so many CPU seconds for what is inside."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __enter__(self):
        def stop(*_):
            raise OutOfTime

        self.before = signal.signal(signal.SIGVTALRM, stop)
        signal.setitimer(signal.ITIMER_VIRTUAL, self.seconds)

    def __exit__(self, *_):
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, self.before)


def verdict(describe, alpha, allowed):
    """What is wrong with the curve, or nothing; and the statuses of its points."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ge.ConvergenceWarning)  # the status is judged below
        warnings.simplefilter("ignore", ge.AccuracyWarning)  # a quadrature that says so; its accuracy is tested elsewhere
        try:
            with Bounded(allowed):
                problem = describe()
                curve = ge.solve(problem, alpha=alpha)
        except ge.ArgumentError as error:
            return "" if "Argument `" in str(error) else f"an error that names no argument: {error}", []
        except OutOfTime:
            return f"more than {allowed} s of CPU time", []
        except Exception as error:
            return f"{type(error).__name__}: {error}", []
    converged = curve.converged.values
    error, residual = curve.test_error.values[converged], curve.residual.values[converged]
    if not np.all(np.isfinite(error)) or np.any(error < 0) or (problem.task == "classification" and np.any(error > 1)):
        return f"test_error {error}", []
    return f"residual {residual}" if not np.all(residual < 1e-6) else "", curve.status.values.tolist()


def check(part, count, quick, allowed):
    """Random problems of one part, at two values of alpha each."""
    flagged, points, failures = 0, 0, []
    for index in range(count):
        rng = np.random.default_rng((part, index))
        alpha = decades(np.random.default_rng((part, index, 1)), -6, 6, 2)
        wrong, status = verdict(lambda rng=rng: random_problem(rng, quick), alpha, allowed)
        flagged, points = flagged + sum(s > 0 for s in status), points + len(status)
        if wrong:
            failures.append(f"seed ({part}, {index}): {wrong}")
    assert not failures, f"{len(failures)} of {count} problems:\n" + "\n".join(failures)
    return flagged, points


@needs_timer
@pytest.mark.parametrize("part", range(101, 104))
def test_closed_forms(part):
    """16 problems of closed forms each; the slow tier has thousands."""
    flagged, points = check(part, 16, quick=True, allowed=20.0)
    assert flagged <= 0.5 * points, f"{flagged} of {points} points"


@needs_timer
@pytest.mark.slow
@pytest.mark.parametrize("part", range(101, 121))
def test_closed_forms_of_every_kind(part):
    """250 problems of closed forms each."""
    check(part, 250, quick=True, allowed=60.0)


@needs_timer
@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_everything(part):
    """250 problems with any function each."""
    check(part, 250, quick=False, allowed=180.0)


def simulated(index, quick):
    """What is wrong with a simulation of hardly any size, or nothing."""
    rng = np.random.default_rng((300, index))
    d, n = (int(rng.integers(1, 4)), int(rng.integers(0, 3))) if rng.random() < 0.5 else rng.integers(1, 12, 2).tolist()
    test = int(rng.choice([2, 3, 50]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ge.ConvergenceWarning)  # the status is judged below
        warnings.simplefilter("ignore", ge.AccuracyWarning)
        try:
            with Bounded(20.0):
                problem = random_problem(rng, quick)
                run = ge.simulate(problem, alpha=max(n, 1e-3) / d, d=d, trials=1, seed=index, test_samples=test, progress=False)
        except ge.ArgumentError as error:
            return "" if "Argument `" in str(error) else f"an error that names no argument: {error}"
        except OutOfTime:
            return "more than 20 s of CPU time"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    error = run.test_error.values[run.status.values == 0]
    return "" if np.all(np.isfinite(error)) else f"test_error {error}"


def check_simulated(indices, quick):
    wrong = {index: found for index in indices if (found := simulated(index, quick))}
    assert not wrong, f"{len(wrong)} simulations:\n" + "\n".join(f"seed (300, {index}): {found}" for index, found in wrong.items())


@needs_timer
def test_simulations_of_hardly_any_size():
    """One row or none, one or two dimensions, one trial: a fit, a status or a named error."""
    check_simulated(range(100), quick=True)


@needs_timer
@pytest.mark.slow
def test_simulations_of_hardly_any_size_of_every_kind():
    check_simulated(range(100, 400), quick=False)


# --- what was found, by name ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 100.0, 1e6])
def test_features_of_sine_then_erf(scale):
    """Sines of a large argument carry no linear part: their features have one mode, and a student learns nothing from them."""
    features = ge.RandomFeatures(["sine", "erf"], ratio=4)
    problem = ge.Problem(ge.DeepNetwork("erf"), ge.GaussianInputs(f"identity:{scale:g}"), ge.Ridge(0.1), features)
    curve = ge.solve(problem, alpha=[0.5, 2.0])
    assert np.all(np.isfinite(curve.test_error)) and np.all(curve.converged)
    if scale >= 100:
        np.testing.assert_allclose(curve.m, 0.0, atol=1e-12)


@pytest.mark.parametrize("name", ["linear", "relu", "leaky_relu:0.3", "abs", "erf", "sign", "sine"])
@pytest.mark.parametrize("variance", [1e-3, 0.3, 1.0, 20.0])
def test_coefficients_are_those_of_quadrature(name, variance):
    phi = activations.get(name)
    found, expected = phi.coefficients(variance), activations.Activation.coefficients(phi, variance)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", ["linear", "relu", "abs", "erf", "sign", "sine"])
@pytest.mark.parametrize("variance", [1e-300, 1e-30, 1e8, 1e150])
def test_moments_of_closed_forms_at_any_variance(name, variance):
    phi = activations.get(name)
    dual, coefficients = phi.dual(variance, 0.5 * variance), phi.coefficients(variance)
    assert np.all(np.isfinite(dual)) and np.all(np.isfinite(coefficients))
    # |E phi phi| <= E phi^2, and what a layer creates is a variance
    assert abs(dual.product) <= dual.second and dual.spread >= 0 and dual.residue >= 0


def test_variances_that_overflow_name_their_argument():
    with pytest.raises(ge.ArgumentError, match=r"`weight_variance`.*layer"):
        ge.Problem(ge.DeepNetwork("relu", 100, weight_variance=1e8)).equivalent()
    with pytest.raises(ge.ArgumentError, match=r"`weight_variance`.*layer"):
        ge.NNGP("relu", 100, weight_variance=1e8).linearise(1.0)


def test_variances_that_vanish():
    """Where a hundred layers leave nothing of the inputs the target is a constant."""
    target = ge.DeepNetwork("sign", 100, weight_variance=1e-8, bias_variance=1.0, labels="abs", offset=0.5)
    curve = ge.solve(ge.Problem(ge.DeepNetwork((*["relu"] * 99, "linear"), weight_variance=1e-8, labels="abs", offset=0.5)), alpha=1.0)
    assert curve.test_error.item() == pytest.approx(0.0, abs=1e-12) and curve.overlap.item() == 0.0
    assert np.isfinite(ge.Problem(target).equivalent().signal_variance)


@pytest.mark.parametrize("root", [4.5, 30.0, 3e4, 1e9])
def test_logit_labels_of_a_wide_field(root):
    """E expit(omega + root eta): for a wide field the distribution function of N(0, root^2 + pi^2/3) up to (1/root)^4."""
    omega = root * np.array([-2.0, 0.0, 0.3, 1.5])
    found = LogitLink(1.0).smoothed(omega, np.array(root**2))
    nodes = np.linspace(-60, 60, 24001)
    density = special.expit(nodes) * special.expit(-nodes) * (nodes[1] - nodes[0])
    density /= density.sum()
    expected = (density * special.ndtr((omega[:, None] - nodes) / root)).sum(axis=1)
    np.testing.assert_allclose(found.value, expected, rtol=1e-13)
    if root < 40:  # the rule for narrow fields
        np.testing.assert_allclose(found, LogitLink(1.0)._narrow(omega, np.full(4, root)), rtol=1e-11, atol=1e-12)


def test_tangent_kernels_with_hardly_any_share_of_the_inputs():
    """E phi'' phi'' of a kink is (2/pi) q^2/sqrt(gap (sigma + K0)), whatever the gap."""
    bend = dual_kernels.get(activations.get("relu")).bend(1.0, 1e-30)
    assert bend == pytest.approx(0.25 * 2 / np.pi / np.sqrt(2e-30))
    with pytest.raises(ge.ArgumentError, match="`weight_variance`"):
        ge.NTK("relu", 3, weight_variance=1e-200, bias_variance=1.0).linearise(1.0)


def test_students_that_see_nothing():
    """A kernel without a linear part at n ~ d teaches no convex learner."""
    problem = ge.Problem(ge.DeepNetwork("erf"), learner=ge.ERM("huber", 0.1), features=ge.DotProductKernel(np.square))
    with pytest.raises(ge.ArgumentError, match="`features`"):
        ge.solve(problem, alpha=1.0)


def test_labels_too_steep_for_their_noise():
    target = ge.DeepNetwork("erf", readout_variance=1e8, labels=ge.Output(np.tanh, noise=1e-6))
    with pytest.raises(ge.ArgumentError, match="`labels`"):
        ge.solve(ge.Problem(target), alpha=1.0)


def test_draws_that_would_be_too_large():
    problem = ge.Problem(ge.DeepNetwork("erf"), learner=ge.Ridge(0.1), features=ge.RandomFeatures("relu", 2, ratio=1000.0))
    with pytest.raises(ge.ArgumentError, match="`ratio`"):
        ge.solve(problem, alpha=1.0)


def test_offsets_between_others_have_the_same_solution():
    """Few offsets are solved from afar and the others between them: the points are those of every offset from afar."""
    target = ge.DeepNetwork("relu", bias_variance=0.2, readout_bias_variance=0.3, task="classification", noise=0.1, flips=(0.1, 0.02))
    e = ge.Problem(target).equivalent()
    model = Model(ge.ERM("logistic", 1e-4, intercept=True), e)
    at = model.points(np.array([0.7, 3.0]), np.full(2, 1e-4))
    near, far = Routes(model).solve(at), Routes(model)._from_afar(at)
    assert np.all(near.status == 0) and near.steps.sum() < 0.6 * far.steps.sum()
    np.testing.assert_allclose(near.fields, far.fields, rtol=1e-8, atol=1e-10)
