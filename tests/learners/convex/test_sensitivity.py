"""Implicit derivatives of the whole curve against differences of solved curves."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.learners.convex.model import Model, Points
from gaussequiv.learners.convex.routes import Routes
from gaussequiv.learners.convex.sensitivity import moved, tangents


def equivalent(channel, rho=1.0, noise=0.0, w=(1.0,), offset=None, offset_variance=0.0):
    """Raw inputs with modes w, signal variance rho and effective noise."""
    w = np.array(w, float)
    mass = np.full(w.size, 1 / w.size)
    return ge.GaussianEquivalent(w, mass, rho / float(mass @ w) * w**2, rho, np.array([noise]), offset_variance, channel, offset=offset)


CASES = {
    "logistic": (ge.ERM("logistic", 0.1), equivalent(Sign(0.3), noise=0.1)),
    "noiseless": (ge.ERM("logistic", 0.1), equivalent(Sign(0.0))),
    "hinge": (ge.ERM("hinge", 0.1, intercept=True, class_weight={-1: 2.0, 1: 0.5}), equivalent(Sign(0.3), noise=0.1, offset=0.5)),
    "logit": (ge.ERM("logistic", 0.1), equivalent(Binary("logit", 0.2, (0.1, 0.05)), noise=0.1)),
    "huber": (ge.ERM("huber:0.7", 0.1, intercept=False), equivalent(GaussianNoise(0.3), noise=0.1, offset=0.5, w=(0, 0.5, 2))),
    "exact labels": (ge.ERM("huber:0.7", 0.1), equivalent(GaussianNoise(0.0), noise=0.1)),
    "lasso": (ge.ERM("square", 0.1, "elastic_net:0.4"), equivalent(GaussianNoise(0.3), noise=0.1)),
    "level": (ge.ERM("quantile:0.3", 0.1, intercept=True), equivalent(GaussianNoise(0.3), noise=0.1)),
}
NAMES = [(case, name) for case in CASES for name in ("alpha", "lam", "noise", "signal", "effective_noise")]
NAMES += [("huber", "threshold"), ("lasso", "l1_ratio"), ("level", "level")]
CENTRAL = {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}
FORWARD = {0: -25 / 12, 1: 4.0, 2: -3.0, 3: 4 / 3, 4: -1 / 4}


@pytest.mark.parametrize(("case", "name"), NAMES)
def test_against_differences_of_solved_curves(case, name):
    erm, e = CASES[case]
    model = Model(erm, e)
    alpha, lam = 1.7, erm.lam
    now = {"alpha": alpha, "lam": lam, "noise": e.channel.noise, "signal": 1.0, "effective_noise": float(np.sum(e.effective_noise))}
    now |= erm.loss.parameters | erm.penalty.parameters
    h = 4e-4 if now[name] else 1e-4

    def curve(k):
        value = now[name] + k * h
        learner, other, a, penalty = erm, e, alpha, lam
        if name == "alpha":
            a = value
        elif name == "lam":
            penalty = value
        elif name in ("noise", "signal", "effective_noise"):
            other = moved(e, name, value)
        else:
            learner = erm.with_hyperparameter(name, value)
        at = Points(np.array([a]), np.array([penalty]), model.b0)
        one = Model(learner, other)
        return one.observe(Routes(one).solve(at))

    at = Points(np.array([alpha]), np.array([lam]), model.b0)
    found = tangents(model, at, Routes(model).solve(at), (name,))[name]
    rule = CENTRAL if now[name] else FORWARD
    values = {k: curve(k) for k in rule}
    for key, slope in found.items():
        difference = sum(weight * values[k][key] for k, weight in rule.items()) / h
        assert slope == pytest.approx(difference, rel=2e-6, abs=2e-8 * abs(float(values[1][key][0])) + 1e-12), key


@pytest.mark.parametrize("learner", [ge.Logistic(0.1), ge.SVM(0.1), ge.Ridge(0.1)])
def test_alpha_counts_samples_per_input_with_features_too(learner):
    """The equations of k = 2.5 d features are in n/k, the slope is in n/d; every observable, sixth-order differences of solved curves."""
    features = ge.RandomFeatures("erf", ratio=2.5)
    problem = ge.Problem(ge.DeepNetwork("tanh", 2, task="classification", noise=0.1), learner=learner, features=features)
    h = 0.01
    found = ge.solve(problem, [1.5], sensitivity=("alpha",))
    curves = ge.solve(problem, 1.5 + h * np.arange(-3, 4))
    stencil = np.array([-1, 9, -45, 0, 45, -9, 1]) / (60 * h)
    names = [name for name in curves.data_vars if f"d_{name}_d_alpha" in found]
    assert {"test_error", "q", "m"} <= set(names)
    for name in names:
        slope = float(stencil @ curves[name].values)
        assert float(found[f"d_{name}_d_alpha"][0]) == pytest.approx(slope, rel=1e-6, abs=1e-8), name


def test_through_solve_names_are_checked():
    problem = ge.Problem(ge.DeepNetwork("tanh", 2, task="classification"), learner=ge.Logistic(0.1))
    curve = ge.solve(problem, [0.5, 2.0], sensitivity=("lam", "alpha"))
    up, down = (ge.solve(problem, [0.5, a]).test_error.values[1] for a in (2.001, 1.999))
    slopes = [float(curve[v][1]) for v in curve if "test_error" in v and "alpha" in v.replace("d_alpha", "alpha")]
    assert any(s == pytest.approx((up - down) / 0.002, rel=1e-5) for s in slopes), list(curve)
    with pytest.raises(ge.errors.ArgumentError, match=r"[Dd]id you mean"):
        ge.solve(problem, [0.5], sensitivity=("lamb",))


def test_no_penalty_has_no_slopes(monkeypatch):
    """Its limit has equations of its own, also where the optimal penalty vanishes at one alpha of several."""
    e, alpha = equivalent(GaussianNoise(0.3), noise=0.1), np.array([1.0, 3.0])
    with pytest.raises(ge.ArgumentError, match="`sensitivity` needs lam > 0, but lam=0"):
        ge.ERM("huber", 0.0).sensitivity(e, alpha, ("noise",))
    monkeypatch.setattr(ge.ERM, "solve", lambda *given: {"lam": np.array([0.2, 0.0])})
    with pytest.raises(ge.ArgumentError, match="`sensitivity` needs lam > 0, but lam=0"):
        ge.ERM("huber", "optimal").sensitivity(e, alpha, ("noise",))


@pytest.mark.filterwarnings("ignore::gaussequiv.errors.ConvergenceWarning")
def test_where_the_equations_are_singular_there_is_no_derivative():
    """Noiseless labels beyond exact recovery: V = 0 ends the descent where the Jacobian is singular; the neighbour keeps its slope."""
    problem = ge.Problem(ge.LinearTarget(), learner=ge.ERM("absolute", 1.0))
    curve = ge.solve(problem, [2.0, 3.0], sensitivity=("lam",))
    assert np.isnan(curve.d_test_error_d_lam.values[1]), "no derivative at a singular Jacobian"
    assert float(curve.d_test_error_d_lam[0]) == pytest.approx(0.0472980, rel=1e-4)
    alone = ge.solve(problem, [2.0], sensitivity=("lam",))
    assert float(alone.d_test_error_d_lam[0]) == pytest.approx(float(curve.d_test_error_d_lam[0]), rel=1e-9)


def test_students_that_a_kink_holds_without_weights_stay_so():
    """Nothing moves with lam or alpha, beside a student with weights for which it does."""
    e = ge.GaussianEquivalent(np.ones(1), np.ones(1), np.array([0.7]), 0.7, np.array([0.2]), 0.0, ge.Relu(), offset=-0.9)
    model = Model(ge.ERM("absolute", 0.3, intercept=True), e)
    at = Points(np.array([0.3, 300.0]), np.full(2, 0.3), np.full(2, -0.9))
    solution = Routes(model).solve(at)
    assert solution.fields.q[1] < 1e-20 < solution.fields.q[0]
    found = tangents(model, at, solution, ("lam", "alpha"))
    assert found["lam"]["test_error"][0] < -1e-3 and abs(found["alpha"]["test_error"][0]) > 1e-3
    for name in ("lam", "alpha"):
        assert abs(found[name]["test_error"][1]) < 1e-12 and abs(found[name]["q"][1]) < 1e-12
