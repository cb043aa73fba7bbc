"""The contract of learners: what is asked for, what has a default, and what an object of one's own has to bring."""

import json
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.curve import Curve
from gaussequiv.learners.base import Gives, Learner, Tunable, as_learner, as_predictor
from gaussequiv.numerics.ranges import Range
from gaussequiv.samples.training_sample import LinearPredictor
from gaussequiv.testing import check_learner
from gaussequiv.testing.contract import ContractError

TARGET = ge.DeepNetwork("erf", noise=0.1)
LABELS = ge.DeepNetwork("erf", noise=0.1, task="classification")
OPTIONS = {"d": 20, "trials": 2, "seed": 1, "test_samples": 200, "progress": False}


class Mine:
    """A learner that inherits nothing and gives plain mappings: ridge by another name."""

    name = "mine"

    def __init__(self, lam=0.3):
        self.own = ge.Ridge(lam)

    def solve(self, equivalent, alpha):
        return dict(self.own.solve(equivalent, alpha))

    def fit(self, sample, equivalent, key):
        found = self.own.fit(sample, equivalent, key)
        return SimpleNamespace(coefficients=found.coefficients.tolist(), intercept=found.intercept, lam=found.lam)


@dataclass(frozen=True)
class Inherited(Learner):
    """The same with what the contract gives."""

    lam: float = 0.3

    name = "inherited"

    @property
    def tunable(self):
        return {"lam": Tunable(self.lam, Range(0.0, np.inf))}

    def solve(self, equivalent, alpha):
        return ge.Ridge(self.lam).solve(equivalent, alpha)

    def fit(self, sample, equivalent, key=None):
        return ge.Ridge(self.lam).fit(sample, equivalent, key)


@pytest.mark.parametrize("target", [TARGET, LABELS], ids=["regression", "labels"])
@pytest.mark.parametrize("learner", [Mine(), Inherited()], ids=["mine", "inherited"])
@pytest.mark.parametrize("features", [None, ge.RandomFeatures("erf")], ids=["inputs", "features"])
def test_the_required_members_are_enough(learner, target, features):
    own, ridge = (ge.Problem(target, features=features, learner=[one, ge.BayesOptimal()]) for one in (learner, ge.Ridge(0.3)))
    for verb, options in ((ge.solve, {}), (ge.simulate, OPTIONS), (ge.compare, OPTIONS)):
        found, known = verb(own, alpha=[0.5, 2.0], **options), verb(ridge, alpha=[0.5, 2.0], **options)
        np.testing.assert_array_equal(found.test_error, known.test_error)
        assert found.learner.values.tolist() == [learner.name, "bayes"]
        assert found.test_error.attrs == known.test_error.attrs
    assert (
        ge.samples_for(ge.Problem(TARGET, learner=learner), 0.5).alpha
        == ge.samples_for(ge.Problem(TARGET, learner=ge.Ridge(0.3)), 0.5).alpha
    )


def test_both_keep_the_contract():
    check_learner(Mine())
    check_learner(Inherited())


def test_an_own_learner_is_saved_and_run_again(tmp_path):
    problem = ge.Problem(TARGET, learner=Inherited(0.7))
    assert problem.learner == Inherited(0.7)
    assert json.loads(ge.solve(problem, [1.0]).attrs["problem"])["learner"] == {"name": "inherited", "lam": 0.7}
    again = ge.rerun(ge.load(ge.save(ge.solve(problem, [1.0]), tmp_path / "own.json")), parts={"inherited": Inherited})
    np.testing.assert_allclose(again.test_error, ge.solve(problem, [1.0]).test_error, rtol=1e-12)
    swept = ge.sweep(problem, [1.0], {"lam": [0.1, 0.7]})
    assert swept.test_error.values[1] == ge.solve(problem, [1.0]).test_error.values
    plain = ge.solve(ge.Problem(TARGET, learner=Mine()), [1.0])
    assert ge.rerun(plain, parts={"mine": Mine()}).test_error.values == plain.test_error.values


def test_sensitivities_of_what_is_declared_tunable():
    names = ("lam", "alpha", "noise")
    found, known = (ge.solve(ge.Problem(TARGET, learner=one), [0.5, 2.0], sensitivity=names) for one in (Inherited(), ge.Ridge(0.3)))
    for name in names:
        np.testing.assert_allclose(found[f"d_test_error_d_{name}"], known[f"d_test_error_d_{name}"], rtol=1e-12)
    with pytest.raises(ge.ArgumentError, match="among alpha, noise, signal, effective_noise for mine"):
        ge.solve(ge.Problem(TARGET, learner=Mine()), [1.0], sensitivity="lam")


def test_a_learner_without_sensitivities_says_so():
    class Rough(Inherited):
        gives = Gives(sensitivities=False)

    with pytest.raises(ge.ArgumentError, match="`sensitivity` must be left out for inherited"):
        ge.solve(ge.Problem(TARGET, learner=Rough()), [1.0], sensitivity="alpha")


def test_sensitivities_keep_further_dimensions():
    problem = ge.Problem(ge.DeepNetwork((), noise=1.0), learner=ge.RidgeEnsemble(0.1, 4))
    found = ge.solve(problem, [1.0, 2.0, 4.0], sensitivity=("alpha", "lam"))
    assert found.d_Q_d_alpha.dims == found.Q.dims
    step = 1e-4
    above, below = (ge.solve(problem, np.array([1.0, 2.0, 4.0]) * (1 + sign * step)).Q.values for sign in (1, -1))
    slope = (above - below) / (2 * step * np.array([1.0, 2.0, 4.0])[:, None, None])
    np.testing.assert_allclose(found.d_Q_d_alpha, slope, rtol=1e-6)


def test_curves_of_all_learners_carry_words_units_and_papers():
    for learner, target in (
        (ge.Ridge(0.1), TARGET),
        (ge.BayesOptimal(), LABELS),
        (ge.Logistic(0.1), LABELS),
        (ge.RidgeEnsemble(0.1), TARGET),
    ):
        curve = learner.solve(ge.Problem(target).equivalent(), np.array([1.0, 2.0]))
        assert isinstance(curve, Curve) and curve.judged == "test_error"
        assert set(curve) <= set(curve.labels) and curve.citations == learner.citations != ()


def test_scores_are_not_those_of_another_learner():
    """A learner that declares no scores has none; once, whatever had neither a loss nor a ranking got those of the posterior."""
    found = ge.solve(ge.Problem(LABELS, learner=Mine()), [1.0], scores=True)
    assert "auc" not in found and "log_loss" not in found


@pytest.mark.parametrize(
    ("learner", "words"),
    [
        (
            SimpleNamespace(name="mine", fit=print),
            "has no `solve`: inherit from gaussequiv.learners.base.Learner, which asks for name, solve",
        ),
        (SimpleNamespace(solve=print, fit=print), "has no `name`"),
        (SimpleNamespace(name="mine"), "must be a learner such as"),
        (Mine, "must be a learner such as .*Did you mean learner=Mine"),
    ],
)
def test_what_is_missing_is_named(learner, words):
    with pytest.raises(ge.ArgumentError, match=words):
        ge.Problem(learner=learner)


def test_a_class_that_inherits_must_write_what_is_required():
    class Half(Learner):
        name = "half"

        def solve(self, equivalent, alpha):
            return {}

    with pytest.raises(TypeError, match="fit"):
        Half()


def test_what_fit_gives_is_adapted_or_refused():
    found = as_predictor(SimpleNamespace(coefficients=[1, 2], intercept=0.5, status=2))
    assert isinstance(found, LinearPredictor) and found(np.eye(2)).tolist() == [1.5, 2.5]
    assert found.response is None and np.isnan(found.variance) and found.status == 2
    with pytest.raises(ge.ArgumentError, match=r"`coefficients` and `intercept`, but gives ndarray"):
        as_predictor(np.ones(3))


def test_a_learner_of_the_contract_is_taken_as_it_is():
    learner = Inherited()
    assert as_learner(learner) is learner and as_learner(as_learner(Mine())).name == "mine"
    assert learner.label == "inherited" and learner.to_dict() == {"name": "inherited", "lam": 0.3}
    assert learner.with_hyperparameter("lam", 2.0) == Inherited(2.0)
    assert learner.family is None and learner.risk is None and not learner.sees_inputs


@dataclass(frozen=True)
class Declared:
    """A dataclass that inherits from nothing, with declarations of its own."""

    lam: float = 0.3

    name = "declared"

    @property
    def tunable(self):
        return {"lam": Tunable(self.lam, Range(0.0, np.inf))}

    def solve(self, equivalent, alpha):
        return dict(ge.Ridge(self.lam).solve(equivalent, alpha))

    def fit(self, sample, equivalent, key):
        return ge.Ridge(self.lam).fit(sample, equivalent, key)


def test_what_an_object_of_ones_own_declares_counts():
    learner = as_learner(Declared(0.3))
    assert learner == as_learner(Declared(0.3)) != as_learner(Declared(0.4)) and learner == Declared(0.3)
    assert learner.to_dict() == {"name": "declared", "lam": 0.3} and learner.gives == Gives()
    assert learner.with_hyperparameter("lam", 2.0) == Declared(2.0)
    slope, known = (
        ge.solve(ge.Problem(TARGET, learner=one), [0.5, 2.0], sensitivity="lam").d_test_error_d_lam for one in (Declared(), ge.Ridge(0.3))
    )
    np.testing.assert_allclose(slope, known, rtol=1e-9)


def test_a_check_names_the_class_of_the_user():
    class Blank(Mine):
        label = ""

    with pytest.raises(ContractError, match=r"^Blank: `label`"):
        check_learner(Blank())


def test_tuned_hyperparameters_have_the_ranges_of_their_owners():
    assert dict(ge.ERM("huber:2", 0.1, "elastic_net:0.3").tunable) == {
        "lam": Tunable(0.1, Range(0.0, np.inf, True)),
        "threshold": Tunable(2.0, Range(1e-4, 1e4, True)),
        "l1_ratio": Tunable(0.3, Range(0.0, 0.995)),
    }
