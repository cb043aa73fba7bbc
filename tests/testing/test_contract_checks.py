"""Every named piece keeps its contract, and broken ones are told what to mend."""

from types import SimpleNamespace

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.activations import Erf
from gaussequiv.ingredients.activations import base as activations
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.losses import named as losses
from gaussequiv.ingredients.penalties.base import L2
from gaussequiv.ingredients.priors import named as priors
from gaussequiv.learners.base import Gives, Learner, Risk, Tunable
from gaussequiv.numerics.ranges import Range
from gaussequiv.problems.supervised import dictionary
from gaussequiv.testing import (
    ContractError,
    check_activation,
    check_channel,
    check_learner,
    check_loss,
    check_prior,
    check_problem,
)

LOSSES = [name for name in losses.names() if ":" not in name] + ["huber:0.3", "quantile:0.9"]
ACTIVATIONS = [name for name in activations.names() if ":" not in name] + ["hermite:3", "leaky_relu:0.3"]
PRIORS = ["gaussian", "gaussian:2.5", "rademacher", "gauss-bernoulli:0.2", "sparse-rademacher:0.3"]
CHANNELS = [
    GaussianNoise(0.3),
    GaussianNoise(),
    Sign(0.2),
    Sign(),
    ge.Binary("logit", 0.1, (0.1, 0.05)),
    ge.Binary("random:0.3"),
    ge.Relu(0.1),
    ge.AbsoluteValue(0.1, 0.2),
    ge.AbsoluteValue(),
    ge.Quantised([-1, 0, 1], 0.2),
    ge.Poisson(),
    ge.Output(np.tanh, 0.1),
]


@pytest.mark.parametrize("name", LOSSES)
def test_named_losses_keep_the_contract(name):
    check_loss(losses.get(name))


@pytest.mark.parametrize("prior", [*map(priors.get, PRIORS), ge.Discrete((-1, 0, 2), (0.25, 0.5, 0.25))], ids=lambda prior: prior.name)
def test_priors_keep_the_contract(prior):
    check_prior(prior)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_named_activations_keep_the_contract(name):
    check_activation(activations.get(name))


@pytest.mark.parametrize("channel", CHANNELS, ids=str)
def test_channels_keep_the_contract(channel):
    check_channel(channel)


LINEAR = ge.DeepNetwork((), noise=1.0)
LABELS = ge.DeepNetwork("erf", noise=0.1, task="classification")
LEARNERS = [
    (ge.Ridge(0.1), None),
    (ge.Ridge("optimal", intercept=True), LABELS),
    (ge.RidgeEnsemble(0.5, 4), None),
    (ge.RidgeEnsemble(0.5, 3, "subsample:0.6"), None),
    (ge.BayesOptimal(), None),
    (ge.BayesOptimal(), LABELS),
    (ge.BayesOptimal(), ge.LinearTarget("gauss-bernoulli:0.5", noise=0.1)),
    (ge.BayesOptimal(assumes=ge.DeepNetwork("erf", noise=0.5)), None),
    (ge.BayesOptimal(assumes=ge.DeepNetwork("erf", noise=0.5, task="classification")), LABELS),
    (ge.Lasso(0.3), LINEAR),
    (ge.ElasticNetRegression(0.3), LINEAR),
    pytest.param(ge.Huber(0.5, tune=("threshold",)), None, marks=pytest.mark.slow),
    (ge.Logistic(0.1, class_weight={-1: 1, 1: 2}), None),
    (ge.ERM("logistic", 0.1, sample_weight=((1, 0.9), (10, 0.1))), None),
    (ge.SVM(0), ge.DeepNetwork((), task="classification")),
    *((ge.ERM(name, 0.3), None) for name in LOSSES if name not in ("max_margin",)),
]


@pytest.mark.parametrize(("learner", "target"), LEARNERS, ids=lambda one: str(one.label) if isinstance(one, Learner) else "")
def test_learners_keep_the_contract(learner, target):
    check_learner(learner, target)


def test_every_learner_is_checked():
    assert set(dictionary.LEARNERS.values()) == {type(one[0]) for one in LEARNERS if isinstance(one[0], Learner)}


def test_a_supervised_problem_keeps_the_contract():
    check_problem(ge.Problem(learner=ge.Ridge(0.1)), [1.0, 2.0], 20, over={"lam": [0.1, 1.0]})


def test_spiked_matrices_keep_the_contract():
    check_problem(ge.SpikedWigner(), [0.5, 2.0], 50)


def test_message_passing_keeps_the_contract():
    target = ge.DeepNetwork("tanh", task="classification")
    check_problem(ge.Problem(target).algorithm(2.0, 40), [0, 1, 2], 40)


class WrongSign(losses.Logistic):
    def slope_at(self, t):
        return -super().slope_at(t)


class NoKink(losses.Absolute):
    kinks = ()


class WrongProximal(losses.Square):
    def proximal_at(self, t, V):
        return -t / (1 + 2 * V), -1 / (1 + 2 * V)


class Concave(losses.Square):
    def at(self, t):
        return -0.5 * t * t


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (WrongSign(), "`slope_at` is not the derivative of `at`.*differences give"),
        (NoKink(), r"jumps by 2 at t=.*Add \("),
        (WrongProximal(), "`proximal` does not minimise"),
        (Concave(), "not convex"),
    ],
)
def test_broken_losses_are_told(loss, words):
    with pytest.raises(ContractError, match=words):
        check_loss(loss)


class WrongMean(priors.Gaussian):
    def posterior(self, A, b):
        found = super().posterior(A, b)
        return found._replace(mean=-found.mean)


class WrongSecondMoment(priors.Gaussian):
    second_moment = 2.0


class WrongDraws(priors.Gaussian):
    def sample(self, rng, size):
        return 1.1 * super().sample(rng, size)


class WrongMarginal(priors.Gaussian):
    def log_marginal(self, r, b):
        return super().log_marginal(r, b) + 0.1


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        (WrongMean(), "mean is not d log Z/db"),
        (WrongSecondMoment(), r"`second_moment` is 2, .*E x\^2 = 1"),
        (WrongDraws(), "draws is .*the law says 1"),
        (WrongMarginal(), "integrates to 1.105"),
    ],
)
def test_broken_priors_are_told(prior, words):
    with pytest.raises(ContractError, match=words):
        check_prior(prior)


class WrongDual(Erf):
    def dual(self, variance, covariance, gap=None):
        return super().dual(variance, covariance, gap)._replace(slope=1.0)


class Mixing(Erf):
    def __call__(self, x):
        return super().__call__(x) + 0.01 * np.mean(x) * (np.size(x) > 1)


@pytest.mark.parametrize(
    ("activation", "words"), [(WrongDual(), r"`dual\(1, 0.5\).slope` is 1, quadrature"), (Mixing(), "not elementwise")]
)
def test_broken_activations_are_told(activation, words):
    with pytest.raises(ContractError, match=words):
        check_activation(activation)


class WrongNoise(ge.Quantised):
    def label_variance(self, z):
        return 2 * super().label_variance(z)


class WrongScore(Sign):
    def g_out(self, y, omega, V):
        g, dg = super().g_out(y, omega, V)
        return -g, dg


class WrongLabels(Sign):
    def sample(self, rng, field):
        return -super().sample(rng, field)


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        (WrongNoise([-1, 0, 1], 0.2), "`label_variance` is"),
        (WrongScore(0.2), "`g_out` is not d log Z/d omega"),
        (WrongLabels(0.2), "share of y = 1"),
    ],
    ids=["variance", "slope", "labels"],
)
def test_broken_channels_are_told(channel, words):
    with pytest.raises(ContractError, match=words):
        check_channel(channel)


class WrongShape(ge.Ridge):
    def solve(self, equivalent, alpha):
        return {"test_error": np.ones(1), "status": np.zeros(1)}


class Neighbours(ge.Ridge):
    def solve(self, equivalent, alpha):
        curve = super().solve(equivalent, alpha)
        curve["test_error"] = curve["test_error"] * (1 + 0.1 * np.size(alpha))
        return curve


class WrongTheory(ge.Ridge):
    def solve(self, equivalent, alpha):
        curve = super().solve(equivalent, alpha)
        curve["test_error"] = 3 * curve["test_error"]
        return curve


class WrongRisk(ge.Ridge):
    risk = Risk(losses.Huber(0.2), L2())


class WrongSlope(ge.Ridge):
    def sensitivity(self, equivalent, alpha, names):
        found = super().sensitivity(equivalent, alpha, names)
        return {name: {key: 1.1 * value for key, (_, value) in one.items()} for name, one in found.items()}


class NoProbability(ge.Ridge):
    gives = Gives(ranking=True, margins=True, probabilities=True)


class TooCertain(NoProbability):
    def probability(self, fit, field, channel):
        return np.linspace(0, 2, field.size)


class NoRanking(ge.Ridge):
    gives = Gives(margins=True)


class Unnamed(ge.Ridge):
    def measured(self, task):
        return ()


class OutOfRange(ge.Ridge):
    tunable = {"lam": Tunable(0.1, Range(1.0, 2.0))}


class Stuck(ge.Ridge):
    def with_hyperparameter(self, name, value):
        return self


class Proud(ge.Ridge):
    is_bayes_optimal = True


class NoPredictor(ge.Ridge):
    def fit(self, sample, equivalent, key=None):
        return "weights"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (WrongShape, r"3 points, but has shape \(1,\)"),
        (Neighbours, "among other points"),
        (WrongTheory, "the theory says"),
        (WrongRisk, "lowers the declared `risk`"),
        (WrongSlope, "d_test_error_d_alpha is .*the curve's slope"),
        (NoProbability, "gives.probabilities is True"),
        (TooCertain, "`probability` reaches from .* to 2"),
        (NoRanking, "has `auc`, against what `gives` declares"),
        (Unnamed, "`measure` gives auc, which `measured` does not name"),
        (OutOfRange, "lam=0.1 outside of its range"),
        (Stuck, "`with_hyperparameter"),
        (Proud, "above that of the best ridge"),
        (NoPredictor, "must give a gaussequiv.samples.training_sample.LinearPredictor"),
    ],
)
def test_broken_learners_are_told(kind, words):
    with pytest.raises(ContractError, match=words):
        check_learner(kind(0.1))


def test_what_a_learner_lacks_is_told():
    with pytest.raises(ContractError, match=r"it has no `solve`.*gaussequiv.learners.base"):
        check_learner(SimpleNamespace(name="mine", fit=print))


class FixedSeed(ge.Problem):
    def trial(self, points, size, key, **options):
        return super().trial(points, size, (0, 0), **options)


class Renamed(ge.Problem):
    def trial(self, points, size, key, **options):
        curve = super().trial(points, size, key, **options)
        curve["error"] = curve["test_error"]
        del curve["test_error"]
        curve.judged = "error"
        return curve


class Unkept(ge.Problem):
    def to_dict(self):
        return super().to_dict() | {"matrix": np.eye(2)}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (FixedSeed, "the same draw for the keys"),
        (Renamed, "not measured by `trial`.*without a twin are error"),
        (Unkept, "JSON cannot keep"),
    ],
)
def test_broken_problems_are_told(kind, words):
    with pytest.raises(ContractError, match=words):
        check_problem(kind(learner=ge.Ridge(0.1)), [1.0, 2.0], 20)


def test_contract_errors_are_assertion_errors():
    assert issubclass(ContractError, AssertionError)
