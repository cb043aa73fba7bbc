"""Every ingredient of the library keeps its contract; a user's classes are looked at once, at the door; nothing else probes them."""

import pickle
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import numpy as np
import pytest
from scipy import special

import gaussequiv as ge
from gaussequiv import ingredients
from gaussequiv.errors import ArgumentError
from gaussequiv.ingredients.activations.base import Activation
from gaussequiv.ingredients.activations.base import get as activation
from gaussequiv.ingredients.channels import given
from gaussequiv.ingredients.channels.base import BinaryLabel, Channel, Likelihood, RealLabel, RealOutput
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.ingredients.channels.links import Link, SignLink
from gaussequiv.ingredients.channels.sign import Sign
from gaussequiv.ingredients.losses import margin, named
from gaussequiv.ingredients.losses.base import Loss
from gaussequiv.ingredients.losses.custom import CustomLoss
from gaussequiv.ingredients.priors import named as priors
from gaussequiv.ingredients.priors.base import Prior
from gaussequiv.ingredients.priors.log_density import LogDensity
from gaussequiv.testing import ContractError, check_activation, check_channel, check_loss, check_prior

ROOT = Path(ge.__file__).parent
CHANNELS = [
    GaussianNoise(0.3),
    Sign(0.2),
    ge.Binary("logit", 0.1, (0.1, 0.05)),
    ge.Binary(lambda z: special.expit(2 * z - 1), flips=0.1),
    ge.Binary(lambda z: special.expit(-z)),
    ge.Output(np.tanh, 0.1),
    ge.Relu(0.1),
    ge.AbsoluteValue(0.1, 0.2),
    ge.Quantised([-1, 0, 1], 0.2),
    ge.Poisson(),
    ge.LogLikelihood(lambda y, z: -0.5 * (y - z) ** 2 / 0.4 - 0.5 * np.log(2 * np.pi * 0.4), name="normal"),
    ge.LogLikelihood(lambda y, z: np.where(y > 0, special.log_expit(z), special.log_expit(-z)), labels=(-1, 1), name="two labels"),
    ge.RandomOutput(lambda z, a: a * z, (0.5, 1.0), (0.3, 0.7), noise=0.1, name="faulty"),
]
PRIORS = [
    priors.Gaussian(2.5),
    priors.Rademacher(),
    priors.GaussBernoulli(0.2),
    priors.SparseRademacher(0.3),
    priors.Discrete((-1, 0, 2), (0.25, 0.5, 0.25)),
    LogDensity(lambda x: -abs(x), kinks=(0.0,), name="laplace"),
]


def root(r):
    return np.sqrt(1 + r**2) - 1


LOSSES = [
    *(named.get(name) for name in named.names() if ":" not in name),
    CustomLoss(root, "residual", "pseudo-huber", slope=lambda r: r / np.sqrt(1 + r**2), curvature=lambda r: (1 + r**2) ** -1.5),
]
ACTIVATIONS = [activation("erf"), activation("relu"), activation("sign"), activation("sine"), Activation(np.arctan, name="arctan")]


def concrete(role):
    """All public classes of the ingredients with this base."""
    for one in walk_packages(ingredients.__path__, "gaussequiv.ingredients."):
        import_module(one.name)
    found, pending = set(), [role]
    while pending:
        for kind in pending.pop().__subclasses__():
            pending.append(kind)
            if kind.__module__.startswith("gaussequiv.") and not kind.__name__.startswith(("_", "Adopted")):
                found.add(kind)
    return found


ABSTRACT = {"ClosedForm", "BinaryLabel", "RealLabel", "RealOutput", "Likelihood", "QuadratureChannel", "HalfLines"}


@pytest.mark.parametrize(("role", "pieces"), [(Channel, CHANNELS), (Prior, PRIORS), (Loss, LOSSES), (Activation, ACTIVATIONS)])
def test_every_class_is_among_those_that_are_checked(role, pieces):
    checked = {type(piece) for piece in pieces}
    assert {kind.__name__ for kind in concrete(role) - checked} <= ABSTRACT


@pytest.mark.parametrize("channel", CHANNELS, ids=str)
def test_channels(channel):
    check_channel(channel)
    assert [isinstance(channel, role) for role in (BinaryLabel, RealLabel)].count(True) == 1


@pytest.mark.parametrize("prior", PRIORS, ids=lambda one: one.name)
def test_priors(prior):
    check_prior(prior)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda one: one.name)
def test_losses(loss):
    check_loss(loss)


@pytest.mark.parametrize("one", ACTIVATIONS, ids=lambda one: one.name)
def test_activations(one):
    check_activation(one)


def test_roles():
    real, likelihoods = (GaussianNoise(), ge.Output(np.tanh, 0.1), ge.Relu()), (ge.Poisson(), ge.Quantised([0.0]))
    assert all(isinstance(one, RealOutput) for one in real)
    assert all(isinstance(one, Likelihood) and not isinstance(one, RealOutput) for one in likelihoods)
    assert [one.odd for one in (*real, Sign(), ge.AbsoluteValue(), ge.Poisson())] == [True, True, False, True, False, False]


class Doubled:
    """A user's channel of the fewest members: y = 2 field."""

    task, noise = "regression", 0.0

    def sample(self, rng, field):
        return 2 * field


def test_a_users_channel_of_few_members_is_taken_and_says_what_is_missing():
    target = ge.DeepNetwork("erf", labels=Doubled())
    assert isinstance(target.channel, Likelihood)
    assert not isinstance(target.channel, RealOutput)
    assert target.channel.sample(None, np.ones(2)).tolist() == [2.0, 2.0]
    assert pickle.loads(pickle.dumps(target.channel)).noise == 0.0
    with pytest.raises(ArgumentError, match=r"label_moments.*Doubled leaves out"):
        ge.solve(ge.Problem(target, learner=ge.Ridge(0.1)), alpha=1.0)


def test_a_users_real_labels_are_not_taken_for_gaussian_noise():
    """Without psi and fisher the Bayes-optimal curve of y = 2 field is unknown; it must not be that of y = field + noise."""
    with pytest.raises(ArgumentError, match="psi and fisher"):
        ge.solve(ge.Problem(ge.DeepNetwork("erf", labels=Doubled())), alpha=1.0)


def test_a_channel_without_its_required_members_is_told_what_to_inherit():
    class Half:
        task = "classification"

    with pytest.raises(ArgumentError, match=r"`sample`, but Half has not\. BinaryLabel in gaussequiv"):
        ge.DeepNetwork("erf", labels=Half())
    with pytest.raises(ArgumentError, match="task is 'regression' or 'classification'"):
        given.get(type("Odd", (), {"task": "ranking", "sample": None})())


class SeenFromOutside:
    """All of a `Sign` channel, by a class that inherits nothing."""

    def __init__(self):
        inner = Sign(0.3)
        for name in ("task", "noise", "sample", "probability", "edges", "log_partition", "g_out", "fisher", "psi", "bayes_error"):
            setattr(self, name, getattr(inner, name))
        self.threshold, self.disagreement, self.symmetric = inner.threshold, inner.disagreement, True


def test_a_class_that_inherits_nothing_has_the_curves_of_one_that_does():
    check_channel(SeenFromOutside())
    curves = [
        ge.solve(ge.Problem(ge.DeepNetwork("erf", labels=labels), learner=ge.Logistic(0.1)), alpha=2.0).test_error.item()
        for labels in (SeenFromOutside(), ge.Binary("sign", 0.3))
    ]
    assert curves[0] == pytest.approx(curves[1], rel=1e-12)


class TwoPoints:
    """A user's prior without `name`, `breaks` and `mixture`."""

    second_moment, largest = 1.0, 1.0

    def __init__(self):
        inner = priors.Rademacher()
        self.sample, self.posterior, self.log_marginal = inner.sample, inner.posterior, inner.log_marginal


def test_a_users_prior_of_few_members():
    check_prior(TwoPoints())
    curves = [ge.solve(ge.Problem(ge.LinearTarget(prior, noise=0.5)), alpha=2.0).test_error.item() for prior in (TwoPoints(), "rademacher")]
    assert curves[0] == pytest.approx(curves[1], rel=1e-6)
    assert ge.LinearTarget(TwoPoints()).to_dict()["prior"] == "TwoPoints"
    with pytest.raises(ArgumentError, match=r"`mixture`.*TwoPoints"):
        ge.solve(ge.Problem(ge.LinearTarget(TwoPoints(), noise=0.5), learner=ge.Lasso(0.1)), alpha=2.0)


class Shifted:
    """A user's link of the fewest members."""

    places = np.array([1.0])

    def __call__(self, z):
        return (z > 1.0).astype(float)

    def smoothed(self, omega, V):
        return SignLink().smoothed(omega - 1.0, V)

    def width(self, V):
        return np.sqrt(V)


def test_a_users_link_of_few_members():
    channel = ge.Binary(Shifted())
    assert isinstance(channel.link, Link)
    assert (channel.symmetric, channel.direction, channel.mirrored) == (False, 1, False)
    assert channel == ge.Binary(channel.link)
    assert channel.fisher(np.array(0.9), np.array(0.1), 0.0) == pytest.approx(Sign().fisher(np.array(0.9), np.array(0.1), -1.0), rel=1e-9)
    check_channel(channel)


def test_a_loss_is_not_known_by_its_name():
    """A user's loss that is called exponential has the test loss of what it is."""
    parts = {"slope": lambda t: -special.expit(-t), "curvature": lambda t: special.expit(t) * special.expit(-t)}
    own = CustomLoss(lambda t: -special.log_expit(t), "margin", "exponential", **parts)
    problem = ge.DeepNetwork("erf", noise=0.1, task="classification")
    found = [ge.solve(ge.Problem(problem, learner=ge.ERM(loss, 0.1)), alpha=2.0).test_loss.item() for loss in (own, margin.Logistic())]
    assert found[0] == pytest.approx(found[1], rel=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"direction": -1}, "direction=-1"),
        ({"symmetric": True, "noise": 0.2}, "declares `symmetric`"),
        ({"threshold": lambda V: np.full_like(V, 0.5)}, r"`threshold\(0.7\)`"),
        ({"fisher": lambda q, V, offset: 2 * Sign(0.2).fisher(q, V, offset)}, "`fisher` is not twice"),
        ({"bayes_error": lambda linear, rest, b0: np.full_like(b0, linear)}, "`bayes_error` is"),
        ({"likelier": lambda omega, V: -np.ones_like(omega)}, "`likelier` says"),
    ],
)
def test_what_a_channel_declares_is_checked(change, words):
    channel = ge.Binary("sign", 0.2, (0.1, 0.2)) if "symmetric" in change else Sign(0.2)
    for name, value in change.items():
        object.__setattr__(channel, name, value)
    with pytest.raises(ContractError, match=words):
        check_channel(channel)


@pytest.mark.parametrize(
    ("function", "said", "words"),
    [
        (lambda z: np.abs(z - 0.1), "even", "`parity` is 'even', but labels of fields"),
        (lambda z: np.tanh(z) ** 2, "odd", "`parity` is 'odd', but labels of fields"),
        (np.tanh, "odds", r"`parity\(6\)` is 'odds'"),
    ],
)
def test_the_parity_of_real_labels_is_checked(function, said, words):
    class Claimed(ge.Output):
        def parity(self, reach):
            return said

    with pytest.raises(ContractError, match=words):
        check_channel(Claimed(function, 0.2, (0.1,), name="f"))
    check_channel(ge.Output(np.tanh, 0.2))


def test_what_losses_and_priors_declare_is_checked():
    class Claimed(margin.Logistic):
        tilts = True

    class Wider(priors.Rademacher):
        def mixture(self, places, width):
            return super().mixture(places, width)._replace(variance=np.ones(2))

    with pytest.raises(ContractError, match="declares `tilts`"):
        check_loss(Claimed())
    with pytest.raises(ContractError, match="`mixture` has"):
        check_prior(Wider())
