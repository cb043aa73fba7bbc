"""The solver of one learner in parts: students without weights, starts, what is solved again, and how many steps it takes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special

import gaussequiv as ge
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.ingredients.losses.named import Logistic
from gaussequiv.learners.convex import routes as module
from gaussequiv.learners.convex.averages import FIELD, SQUARE
from gaussequiv.learners.convex.hard_margin import hard_margin
from gaussequiv.learners.convex.model import REACH, ZERO_WEIGHTS, Model, Points
from gaussequiv.learners.convex.offsets import Starts
from gaussequiv.learners.convex.routes import Routes
from gaussequiv.learners.convex.separability import separability_threshold
from gaussequiv.numerics.status import Status


def equivalent(channel, rho=1.0, noise=0.0, w=(1.0,), offset=None, offset_variance=0.0):
    """Raw inputs with modes w, signal variance rho and effective noise."""
    w = np.array(w, float)
    mass = np.full(w.size, 1 / w.size)
    return ge.GaussianEquivalent(w, mass, rho / float(mass @ w) * w**2, rho, np.array([noise]), offset_variance, channel, offset=offset)


def points(load, lam, b0):
    return Points(*(np.atleast_1d(np.array(part, float)) for part in (load, lam, b0)))


def beside(model, solution, step):
    """Unknowns some way from a solution's; a constant that is not fitted stays."""
    return solution.unknowns + step * np.array([1.0, 1.0, 1.0, float(model.free_constant)])


# --- the student without weights ---------------------------------------------------------------------------------------------------

NORMAL = np.linspace(-9, 9, 180_001)
MASS = np.exp(-(NORMAL**2) / 2) / np.sqrt(2 * np.pi) * (NORMAL[1] - NORMAL[0])


def test_the_best_constant_of_weighed_labels():
    """Logistic loss: exp(c) = w_+ P(+1)/(w_- P(-1)), of which the slopes and the pull along the field follow."""
    erm = ge.ERM("logistic", 0.1, intercept=True, class_weight={-1: 2.0, 1: 0.5})
    model = Model(erm, equivalent(Sign(0.3), rho=0.8, noise=0.1, offset=0.4))
    square, field, c = model.untrained(np.array([0.4]))
    up, slope = special.ndtr(0.4 / np.sqrt(1.2)), np.exp(-0.16 / 2.4) / np.sqrt(2 * np.pi * 1.2)
    assert c[0] == pytest.approx(np.log(0.5 * up / (2 * (1 - up))), rel=1e-12)
    g = {1: 0.5 * special.expit(-c[0]), -1: -2 * special.expit(c[0])}
    assert square[0] == pytest.approx(up * g[1] ** 2 + (1 - up) * g[-1] ** 2, rel=1e-12)
    assert field[0] == pytest.approx(slope * (g[1] - g[-1]), rel=1e-12)


def test_weights_of_samples_multiply_those_of_classes():
    """Whatever the sample's weight the constant is the same; E g^2 counts its square, E Z0' g its mean."""
    options = {"intercept": True, "class_weight": {-1: 2.0, 1: 0.5}}
    e = equivalent(Sign(0.3), rho=0.8, noise=0.1, offset=0.4)
    plain = Model(ge.ERM("logistic", 0.1, **options), e)
    weighed = Model(ge.ERM("logistic", 0.1, **options, sample_weight=((1.0, 0.6), (3.0, 0.4))), e)
    (square, field, c), (found, along, constant) = plain.untrained(np.array([0.4])), weighed.untrained(np.array([0.4]))
    assert constant[0] == pytest.approx(c[0], rel=1e-12)
    assert found[0] == pytest.approx((0.6 + 9 * 0.4) * square[0], rel=1e-12)
    assert along[0] == pytest.approx((0.6 + 3 * 0.4) * field[0], rel=1e-12)
    deaf = Model(ge.ERM("logistic", 0.1), equivalent(Binary("random:0.3")))
    assert deaf.untrained(np.zeros(1))[1][0] == 0
    even = Model(ge.ERM("logistic", 0.1, sample_weight=((1.0, 0.6), (3.0, 0.4))), equivalent(Sign(0.3)))
    assert even.classes == ((1.0, 1.0, 1.2), (1.0, 3.0, 0.8))


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("loss", ["quantile:0.8", "huber:0.5"])
def test_the_best_constant_of_real_labels(loss, intercept):
    """Of labels y ~ N(b0, rho + noise): a quantile, or the mean; E Z0' g = E g (y - b0)/(rho + noise) by Stein."""
    erm = ge.ERM(loss, 0.1, intercept=intercept, sample_weight=((1.0, 0.6), (3.0, 0.4)))
    model = Model(erm, equivalent(GaussianNoise(0.3), rho=0.8, noise=0.1, offset=0.4))
    square, field, c = model.untrained(np.array([0.4]))
    root = np.sqrt(1.2)
    expected = {"quantile:0.8": 0.4 + root * special.ndtri(0.8), "huber:0.5": 0.4}[loss] if intercept else 0.0
    y = 0.4 + root * NORMAL
    g = -erm.loss.slope(y, c[0])
    assert c[0] == pytest.approx(expected, abs=1e-7)
    assert square[0] == pytest.approx((0.6 + 9 * 0.4) * MASS @ g**2, rel=1e-4)
    assert field[0] == pytest.approx((0.6 + 3 * 0.4) * MASS @ (g * NORMAL) / root, rel=1e-4)


@pytest.mark.parametrize(("flips", "side"), [((0.0, 1.0), 1.0), ((1.0, 0.0), -1.0)])
def test_labels_of_one_kind_take_the_constant_to_the_end_of_its_range(flips, side):
    model = Model(ge.ERM("logistic", 0.1, intercept=True), equivalent(Binary("sign", flips=flips), rho=0.8, noise=0.4, offset=0.5))
    assert model.untrained(np.array([0.5]))[2][0] == pytest.approx(side * (0.5 + REACH * (1 + np.sqrt(1.2))), rel=1e-12)


def test_what_is_known_of_the_untrained_is_that_of_its_own_offset_and_loss():
    model = Model(ge.ERM("hinge", 0.1, intercept=True), equivalent(Sign(0.3), offset=0.4))
    both = [np.array(part) for part in model.untrained(np.array([0.4, -1.0, 0.4]))]
    for part, own, other in zip(both, model.untrained(np.array([0.4])), model.untrained(np.array([-1.0])), strict=True):
        assert part[0] == own[0] == part[2] and part[1] == other[0]
    soft = Model(ge.ERM("logistic", 0.1, intercept=True), equivalent(Sign(0.3), offset=0.4))
    assert [float(part[0]) for part in model.with_loss(Logistic()).untrained(np.array([0.4]))] == pytest.approx(
        [float(part[0]) for part in soft.untrained(np.array([0.4]))], rel=1e-12
    )


def test_where_penalties_with_kinks_leave_no_weight():
    """lam l1 = 12 standard deviations of h, whose variance is w (load E g^2) + (w load E Z0' g)^2 Var x; beyond, lam is cut there."""
    model = Model(ge.ERM("logistic", 0.1, "elastic_net:0.4"), equivalent(Sign(0.3), w=(1.5,)))
    at = points([2.0, 0.5], [1e-3, 1e9], [0.0, 0.0])
    square, field, _ = model.untrained(at.b0)
    deviation = np.sqrt(1.5 * at.load * square + (1.5 * at.load * field) ** 2 * model.e.alignment[0] / 1.5**2)
    np.testing.assert_allclose(model.empty(at) * 0.4, ZERO_WEIGHTS * deviation, rtol=1e-12)
    np.testing.assert_allclose(model.capped(at).lam, [1e-3, model.empty(at)[1]], rtol=1e-12)
    plain = Model(ge.ERM("logistic", 0.1), equivalent(Sign(0.3)))
    assert plain.capped(at) is at
    solved = Routes(model).solve(points(2.0, 1e9, 0.0))
    assert solved.status[0] == Status.converged and solved.fields.q[0] < 1e-28


# --- starts ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("erm", "e"),
    [
        (ge.ERM("logistic", 0.1, intercept=True), equivalent(Sign(0.3), offset=0.4)),
        (ge.ERM("huber:0.5", 0.1, intercept=True), equivalent(GaussianNoise(0.3), offset=0.4)),
        (ge.ERM("huber:0.5", 0.1, intercept=True), equivalent(ge.Output(np.tanh, 0.2, name="tanh"), offset=0.4)),
        (ge.ERM("squared_hinge", 0.1, class_weight={-1: 2, 1: 1}), equivalent(Sign(0.3))),
    ],
    ids=["labels", "noise", "law", "weights"],
)
def test_starts_are_updates_of_the_student_without_weights(erm, e):
    """load E g^2, load |E Z0' g| and the best constant, which the averages of the saddle point have at q = m = V = 0."""
    model = Model(erm, e)
    at = points([2.0, 0.5], [1e7, 1e7], np.repeat(model.b0[:1], 2))
    start = Routes(model)._weightless(at)
    system = model.saddle(at)
    here = start.copy()
    fields, *_ = system.fields(here, np.arange(2))
    value = system.average(fields, np.arange(2)).value
    np.testing.assert_allclose(start[:, 1], np.log(at.load * value[:, SQUARE]), atol=1e-5)
    np.testing.assert_allclose(start[:, 2], np.log(at.load * np.abs(value[:, FIELD])), atol=1e-5)
    np.testing.assert_allclose(start[:, 0], np.log(at.load), rtol=1e-14)
    solved = Routes(model).solve(at)
    np.testing.assert_allclose(solved.unknowns[:, 1:], start[:, 1:], atol=1e-5)
    first = model.start(at)
    np.testing.assert_allclose(first[:, :3], np.log(at.load / 4)[:, None] * np.ones(3), rtol=1e-14)
    # labels that are field and noise are shifted by the offset, and the student with them; else it is a start, in units of the field
    shifted = model.regression and model.intercept and isinstance(model.channel, GaussianNoise)
    own = at.b0 / np.sqrt(max(model.rho, 1.0)) if model.free_constant and not shifted else np.zeros(2)
    np.testing.assert_allclose(first[:, 3], own, rtol=1e-14)
    if shifted:
        np.testing.assert_allclose(system.fields(first, np.arange(2))[0].c, at.b0, rtol=1e-14)


SIGN = {
    "rises": (Sign(0.3), 1.0),
    "falls": (Binary(lambda z: special.expit(-z)), -1.0),
}


@pytest.mark.parametrize("name", SIGN)
def test_the_sign_of_mhat_is_that_of_the_slope(name):
    channel, sign = SIGN[name]
    model = Model(ge.ERM("logistic", 0.1), equivalent(channel))
    assert model.sign(points([1.0, 2.0], [0.1, 0.1], [0.0, 0.0])).tolist() == [sign, sign]
    assert Routes(model).solve(points(1.0, 0.1, 0.0)).sign.tolist() == [sign]


def test_what_labels_say():
    assert Model(ge.ERM("logistic", 0.1), equivalent(Sign(0.3))).signal
    assert not Model(ge.ERM("logistic", 0.1), equivalent(Binary("random:0.3"))).signal
    assert not Model(ge.ERM("logistic", 0.1), equivalent(Binary("sign", flips=0.5))).signal
    assert Model(ge.ERM("logistic", 0.1), equivalent(Binary("sign", flips=0.4999))).signal
    assert Model(ge.ERM("logistic", 0.1), equivalent(Binary("random:0.3"))).sign(points(1.0, 0.1, 0.0)) is None
    assert not Model(ge.ERM("huber", 0.1), equivalent(ge.AbsoluteValue(0.1))).signal
    assert Model(ge.ERM("huber", 0.1), equivalent(GaussianNoise(0.1))).signal


# --- what is solved again ----------------------------------------------------------------------------------------------------------


class Recorder:
    """The long way, and which points took it."""

    def __init__(self, model):
        self.model, self.lam = model, []

    def __call__(self, at):
        self.lam.append(at.lam.tolist())
        return Routes(self.model)._from_afar(at)


def started(unknowns, sign):
    """From solutions at the same lam."""
    return Starts(unknowns, sign, np.zeros(sign.size))


def test_starts_that_fail_or_end_elsewhere_take_the_long_way():
    """A start at the solution does not; one without numbers, and one so far that the solution is another one's neighbour, do."""
    model = Model(ge.ERM("logistic", 0.1), equivalent(Sign(0.3)))
    at = points([2.0] * 4, [0.1, 0.2, 0.3, 0.4], [0.0] * 4)
    known = Routes(model).solve(at)
    start = known.unknowns.copy()
    start[1] = np.nan
    start[2, 0] += 2.5
    start[3, 2] += 1.5
    record = Recorder(model)
    starts = Starts(start, np.ones(4), np.zeros(4))
    found = Routes(model)._directly(at, starts, record)
    assert sorted(record.lam) == [[0.2], [0.3]]
    assert np.all(found.status == Status.converged)
    np.testing.assert_allclose(found.unknowns, known.unknowns, rtol=1e-9, atol=1e-11)
    assert found.steps[0] <= 1 < found.steps[3] <= 6
    assert found.steps[1] == Routes(model)._from_afar(at.take([1])).steps[0]
    assert found.steps[2] > Routes(model)._from_afar(at.take([2])).steps[0]  # the vain steps count, too
    assert Routes(model)._directly(at.take([0]), starts.take([0]), record).steps[0] <= 1
    assert len(record.lam) == 2
    away = Routes(model)._directly(at, starts._replace(away=np.full(4, 0.5)), record)  # solutions that far away in log lam may differ so
    np.testing.assert_allclose(away.unknowns, known.unknowns, rtol=1e-9, atol=1e-11)
    assert record.lam[2:] == [[0.2]]


def test_points_near_others_start_there_with_their_own_sign():
    falls = Model(ge.ERM("logistic", 0.1), equivalent(Binary(lambda z: special.expit(-z))))
    at = points([2.0, 2.0], [0.1, 0.2], [0.0, 0.0])
    known = Routes(falls).solve(at)
    near = Routes(falls).solve_near(at, started(beside(falls, known, 0.01), np.ones(2)))
    assert near.sign.tolist() == [-1.0, -1.0]
    assert near.steps.max() <= 4
    np.testing.assert_allclose(near.unknowns, known.unknowns, rtol=1e-9, atol=1e-11)
    far = Routes(falls).solve_near(at, Starts.unknown(2))
    np.testing.assert_allclose(far.unknowns, known.unknowns, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("way", ["solve", "solve_near"])
def test_many_points_are_solved_in_chunks(monkeypatch, way):
    model = Model(ge.ERM("logistic", 0.1, intercept=True), equivalent(Sign(0.3), offset=0.4))
    at = points(np.geomspace(0.3, 5, 5), np.geomspace(0.01, 1, 5), np.full(5, 0.4))
    whole = Routes(model).solve(at)
    monkeypatch.setattr(module, "CHUNK", 2)
    parts = Routes(model).solve(at) if way == "solve" else Routes(model).solve_near(at, started(whole.unknowns + 0.01, np.ones(5)))
    np.testing.assert_allclose(parts.unknowns, whole.unknowns, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(parts.fields, whole.fields, rtol=1e-9)


LONG = {  # learner, equivalent, load and lam, and the steps that the solution takes
    "small penalty": (ge.ERM("logistic", 0.1), equivalent(Sign(0.3)), 2.0, 1e-8, 35),
    "small penalty, few rows": (ge.ERM("logistic", 0.1), equivalent(Sign(0.3)), 0.5, 1e-8, 32),
    "interpolation": (ge.ERM("absolute", 0.1), equivalent(GaussianNoise(0.3)), 0.5, 1e-8, 19),
    "no penalty": (ge.ERM("hinge", 0.1), equivalent(Sign(0.3)), 5.0, 0.0, 29),
    "offset": (ge.ERM("hinge", 0.1, intercept=True), equivalent(Sign(0.1), offset=1.0), 3.0, 1e-4, 17),
    "law": (ge.ERM("huber:0.5", 0.1, intercept=True), equivalent(ge.Output(np.tanh, 0.1, name="tanh"), offset=0.3), 2.0, 1e-3, 13),
    "lasso": (ge.ERM("square", 0.1, "l1"), equivalent(GaussianNoise(0.3)), 2.0, 1e-3, 21),
    "lasso, few rows": (ge.ERM("square", 0.1, "l1"), equivalent(GaussianNoise(0.3)), 0.4, 1e-3, 25),
    "lasso on labels": (ge.ERM("square", 0.1, "l1"), equivalent(Sign(0.3)), 2.0, 1e-2, 22),
    "logistic and L1": (ge.ERM("logistic", 0.1, "l1"), equivalent(Sign(0.3), offset=0.4), 2.0, 1e-2, 22),
    "hinge and L1": (ge.ERM("hinge", 0.1, "l1"), equivalent(Sign(0.3)), 2.0, 1e-1, 23),
    "hinge and a little L1": (ge.ERM("hinge", 0.1, "elastic_net:0.5", intercept=True), equivalent(Sign(0.3), offset=0.4), 2.0, 1e-1, 50),
    "few weights": (ge.ERM("hinge", 0.1, intercept=True), equivalent(Sign(0.1), offset=0.3), 3.0, 1e2, 8),
    "huber on labels and L1": (ge.ERM("huber:0.5", 0.1, "l1"), equivalent(Sign(0.3)), 2.0, 1e-1, 18),
}


@pytest.mark.parametrize("name", LONG)
def test_the_long_way_arrives_in_few_steps(name):
    """At the solution that Newton's method has from near it, with conjugates that are the load times their averages."""
    erm, e, load, lam, known = LONG[name]
    model = Model(erm, e)
    at = points(load, lam, model.b0[:1])
    found = Routes(model).solve(at)
    assert found.status[0] == Status.converged
    value = model.saddle(at).average(found.fields, np.arange(1)).value[0]
    np.testing.assert_allclose(found.conjugates.qhat[0], load * value[SQUARE], rtol=1e-7)
    np.testing.assert_allclose(found.conjugates.mhat[0], load * value[FIELD], rtol=1e-7)
    near = Routes(model).solve_near(at, started(beside(model, found, 1e-3), found.sign))
    np.testing.assert_allclose(near.unknowns, found.unknowns, rtol=1e-7, atol=1e-8)
    assert near.steps[0] <= 5
    assert abs(found.steps[0] - known) <= 3 + known // 10


@pytest.mark.parametrize("name", ["small penalty", "interpolation", "offset", "law"])
def test_other_ways_arrive_at_the_same_point(name):
    """From the student without weights at a large penalty, and with patience."""
    erm, e, load, lam, _ = LONG[name]
    model = Model(erm, e)
    at = points(load, lam, model.b0[:1])
    found = Routes(model).solve(at)
    whole = Routes(model)._all_the_way(at, found.unknowns, found)
    patient = Routes(model)._patiently(at, beside(model, found, 0.5), found)
    for other in (whole, patient):
        assert other.status[0] == Status.converged
        np.testing.assert_allclose(other.unknowns, found.unknowns, rtol=1e-8, atol=1e-9)
    assert whole.steps[0] <= 60


class Jumping:
    """A saddle point whose solution is moved in one logarithm, and the lam at which it was asked."""

    def __init__(self, model, jump):
        self.saddle, self.jump, self.asked, self.guesses = model.saddle, jump, [], []

    def __call__(self, at, sign=None):
        self.asked.append(float(at.lam[0]))
        system = self.saddle(at, sign)
        own = type("Moved", (), {})()

        def solve(start, *given, **options):
            self.guesses.append(start[0].copy())
            found = system.solve(start, *given, **options)
            found.unknowns[:, 1] += self.jump
            return found

        own.solve = solve
        return own


@pytest.mark.parametrize("far", [1e-2, 10.0])
def test_a_path_along_lam_grows_its_steps_and_refuses_jumps(monkeypatch, far):
    """Steps of 1, 2 and at most log 10 in log lam, from the line through the last two; a quarter where the branch jumps."""
    plain, model = (Model(ge.ERM("logistic", 0.1), equivalent(Sign(0.3))) for _ in range(2))
    start, end = points(2.0, 0.1, 0.0), points(2.0, 0.1 * far**3, 0.0)
    way = np.sign(np.log(far))
    smooth = Jumping(plain, 0.0)
    monkeypatch.setattr(model, "saddle", smooth)
    solution = Routes(plain).solve(start)
    first = solution.unknowns[0].copy()
    lam = Routes(model)._toward(solution, start.lam, end)
    assert lam[0] == end.lam[0]
    total, sizes = abs(3 * np.log(far)), [1.0, 2.0]
    while sum(sizes) < total:
        sizes.append(min(np.log(10), total - sum(sizes)))
    np.testing.assert_allclose(np.diff(np.log([0.1, *smooth.asked])) * way, sizes, rtol=1e-12)
    np.testing.assert_allclose(smooth.guesses[0], first, rtol=1e-12)
    second = Routes(plain).solve(points(2.0, smooth.asked[0], 0.0)).unknowns[0]
    np.testing.assert_allclose(smooth.guesses[1], second + 2 * (second - first), rtol=1e-7, atol=1e-9)
    jumping = Jumping(plain, 9.0)
    monkeypatch.setattr(model, "saddle", jumping)
    solution = Routes(plain).solve(start)
    steps = solution.steps[0]
    assert Routes(model)._toward(solution, start.lam, end)[0] == 0.1
    tried = [1.0, 0.25, 0.0625] if way > 0 else [1.0, 0.25, 0.0625, 0.015625, 0.00390625]
    np.testing.assert_allclose(np.abs(np.log(np.array(jumping.asked) / 0.1)), tried, rtol=1e-9)
    np.testing.assert_allclose(solution.unknowns[0], first, rtol=1e-12)
    assert solution.steps[0] > steps  # what was tried in vain counts


# --- limits and observables --------------------------------------------------------------------------------------------------------


def test_the_limit_of_hard_margins_is_that_of_small_penalties():
    """m/sqrt(q) of the squared hinge as lam falls, lam V and the error; least |w| with margins of 1, whose losses are zero."""
    model = Model(ge.ERM("squared_hinge", 0.1), equivalent(Sign(0.2)))
    at = points([0.3, 0.8], [0.0, 0.0], [0.0, 0.0])
    hard, seen = hard_margin(model, at)
    soft = Routes(model).solve(points(at.load, [1e-7, 1e-7], at.b0))
    assert np.all(hard.status == Status.converged)
    for one, other in zip(hard.fields[1:3], soft.fields[1:3], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)
    np.testing.assert_allclose(hard.fields.V, 1e-7 * soft.fields.V, rtol=1e-4)
    np.testing.assert_allclose(seen["test_error"], model.observe(soft)["test_error"], rtol=1e-4)
    assert not np.any(seen["train_loss"]) and not np.any(seen["train_error"])
    assert "test_loss" not in seen
    assert hard.steps.min() > 5


def test_the_threshold_counts_samples_per_student_dimension():
    learner, features = ge.ERM("logistic", 0.1, intercept=True), ge.RandomFeatures("erf", ratio=2.0)
    problem = ge.Problem(ge.DeepNetwork("tanh", task="classification", offset=0.3), features=features, learner=learner)
    e = problem.equivalent_of(learner)
    model = Model(learner, e)
    b0 = np.array([0.3, 0.9, 0.3])
    expected = [separability_threshold(e, intercept=True, b0=b) / 2.0 for b in b0]
    np.testing.assert_allclose(model.limit_threshold(b0), expected, rtol=1e-12)
    assert model.points(np.array([1.0]), np.array([0.1])).load[0] == 0.5


def test_order_parameters_that_overflow_are_no_numbers_beside_those_that_do_not():
    model = Model(ge.ERM("logistic", 0.1), equivalent(Sign(0.3)))
    at = points([2.0] * 3, [0.1] * 3, [0.0] * 3)
    s = Routes(model).solve(at)
    alone = model.observe(s.take([0]))
    s.fields.q[1], s.fields.c[2] = 1e150, 1e60
    seen = model.observe(s)
    for key, value in seen.items():
        assert value[0] == pytest.approx(alone[key][0], rel=1e-12), key
        assert np.isnan(value[1:]).all(), key
    assert set(model.observe(s, keys=("test_error",))) == {"test_error"}
    assert model.observe(s, keys=("test_error",))["test_error"][0] == pytest.approx(alone["test_error"][0], rel=1e-12)


def test_both_labels_are_folded_into_one_where_they_are_alike():
    """A class of factor 2 against both classes of a law that is as good as symmetric."""
    one = Model(ge.ERM("logistic", 0.1), equivalent(Binary("sign", 0.3, 0.1)))
    two = Model(ge.ERM("logistic", 0.1), equivalent(Binary("sign", 0.3, (0.1, 0.1 + 1e-10))))
    assert len(one.classes) == 1 and len(two.classes) == 2
    at = points(2.0, 0.1, 0.0)
    a, b = one.observe(Routes(one).solve(at)), two.observe(Routes(two).solve(at))
    for key, value in a.items():
        assert value[0] == pytest.approx(b[key][0], rel=1e-7, abs=1e-9), key
    uneven = Model(ge.ERM("logistic", 0.1, class_weight={-1: 2, 1: 1}), equivalent(Binary("sign", 0.3, 0.1)))
    assert len(uneven.classes) == 2 and not uneven.folded
    offset = Model(ge.ERM("logistic", 0.1), equivalent(Sign(0.3), offset=0.4))
    assert len(offset.classes) == 2


def test_numbers_of_the_equivalent():
    e = equivalent(Sign(0.3), rho=0.8, noise=0.1, w=(0.0, 0.5, 2.0))
    model = Model(ge.ERM("logistic", 0.1), e)
    assert (model.linear, model.rho, model.rank) == pytest.approx((0.8, 0.9, 2 / 3))
    assert model.scale == pytest.approx(2.5 / 3)
    at = model.points(np.array([0.5, 2.0]), np.array([0.1, 0.2]))
    assert (at.load.tolist(), at.lam.tolist(), at.b0.tolist()) == ([0.5, 2.0], [0.1, 0.2], [0.0, 0.0])


@pytest.mark.parametrize(
    ("law", "variance", "steps"),
    [
        (ge.Output(lambda z: np.abs(z - 0.1), 0.1, (0.1,), name="abs"), 1.0, 463),
        (ge.Output(lambda z: np.sin(z - 0.1), 0.1, name="sin"), 4.0, 813),
    ],
    ids=["abs", "sin"],
)
def test_offsets_between_which_mhat_turns_its_sign(law, variance, steps):
    """Few from afar, the others between them with the sign of the nearer ones or of a first update: the points are those from afar."""
    model = Model(ge.ERM("huber:0.5", 0.1), equivalent(law, offset_variance=variance))
    at = model.points(np.array([2.0]), np.array([0.1]))
    near, far = Routes(model).solve(at), Routes(model)._from_afar(at)
    assert set(near.sign) == {-1.0, 1.0}
    np.testing.assert_array_equal(near.sign, far.sign)
    np.testing.assert_allclose(near.fields, far.fields, rtol=1e-8, atol=1e-10)
    np.testing.assert_array_equal(near.status, far.status)
    assert np.median(near.steps) <= 5 < np.median(far.steps)
    assert near.steps.sum() <= 1.1 * steps


def test_every_way_knows_how_the_penalty_bends():
    e = equivalent(Sign(0.3))
    for penalty, curvature in (("l2", 1.0), ("l1", 0.0), ("elastic_net:0.25", 0.75)):
        model = Model(ge.ERM("logistic", 0.1, penalty), e)
        assert model.curvature == pytest.approx(curvature)
        solution, lam = Routes(model)._from_emptiness(model.points(np.ones(1), np.full(1, 0.1)))
        assert np.isfinite(solution.unknowns).all() and lam[0] >= 0.1


@pytest.mark.parametrize(("w", "aspect", "words"), [((0.5, 2.0), 1.0, "2 different eigenvalues"), ((1.0,), 1.6, "features or a kernel")])
def test_a_penalty_of_single_weights_says_what_it_meets(w, aspect, words):
    e = replace(equivalent(GaussianNoise(0.1), w=w), aspect=aspect)
    with pytest.raises(ge.ArgumentError, match=f"`penalty` must be l2 unless .*, but penalty=l1 meets {words}"):
        Model(ge.ERM("square", 0.1, "l1"), e)
