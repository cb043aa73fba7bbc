"""L1 and elastic net over the target's prior: every prior x loss x labels x offset agrees with true fits, or is refused by name."""

import numpy as np
import pytest
from scipy import special

import gaussequiv as ge

LAPLACE = ge.LogDensity(lambda x: -np.abs(x), kinks=(0.0,), name="laplace")
SKEWED = ge.LogDensity(lambda x: -x, support=(0.0, 40.0), name="exponential")
PRIORS = {"sparse": "gauss-bernoulli:0.2:5", "signs": "rademacher", "laplace": LAPLACE, "skewed": SKEWED}
REAL, LABELS = {"noise": 0.1}, {"task": "classification", "noise": 0.1}
CASES = {
    "lasso": (REAL, ge.Lasso(0.1)),
    "elastic net": (REAL, ge.ElasticNetRegression(0.1, 0.6)),
    "huber": (REAL, ge.ERM("huber", 0.1, "l1")),
    "lasso on labels": (LABELS, ge.Lasso(0.1)),
    "logistic": (LABELS, ge.ERM("logistic", 0.1, "l1")),
    "hinge": (LABELS, ge.ERM("hinge", 0.1, "elastic_net:0.5")),
    "offset, intercept": (REAL | {"offset": 0.7}, ge.ERM("square", 0.1, "l1", intercept=True)),
    "offset, no intercept": (REAL | {"offset": 0.7}, ge.ERM("square", 0.1, "l1", intercept=False)),
    "offset of labels": (LABELS | {"offset": 0.7}, ge.ERM("logistic", 0.1, "l1")),
}


def agrees(prior, case, inputs=None):
    """40 trials at d = 200: within 4 standard errors and 3/d, and error bars that would show 15%."""
    target, learner = CASES[case]
    problem = ge.Problem(ge.LinearTarget(PRIORS[prior], **target), inputs or ge.GaussianInputs(), learner)
    both = ge.compare(problem, [1.0, 2.5], d=200, trials=40, seed=1, allowance=3.0, test_samples=3000, normalise_teacher=True)
    assert both.converged.all()
    assert both.attrs["verdict"] == "agree", both.attrs["reason"]


@pytest.mark.parametrize(("prior", "case"), [("signs", "hinge"), ("sparse", "logistic"), ("laplace", "offset, no intercept")])
def test_a_few_agree(prior, case):
    agrees(prior, case)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("prior", PRIORS)
def test_all_agree(prior, case):
    agrees(prior, case)


@pytest.mark.slow
@pytest.mark.parametrize("inputs", [ge.GaussianInputs(np.full(200, 4.0)), ge.GaussianInputs(mean=0.5)], ids=["scaled", "mean"])
@pytest.mark.parametrize("prior", ["sparse", "signs", "laplace"])
def test_other_isotropic_inputs_agree(prior, inputs):
    agrees(prior, "lasso", inputs)


@pytest.mark.parametrize("ratio", [0.9, 0.5, 0.1])
def test_the_hinge_with_an_elastic_net_converges(ratio):
    """The hinge does not respond where no weight is left: there is no path in lam from there, at any prior."""
    for lam in (0.01, 1.0):
        target = ge.DeepNetwork((), task="classification", noise=0.1)
        assert ge.solve(ge.Problem(target, learner=ge.ERM("hinge", lam, f"elastic_net:{ratio}")), [0.3, 2.0, 6.0]).converged.all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"inputs": ge.GaussianInputs("two-level:4:0.2:0.2")}, "`penalty` must be l2 unless the student sees isotropic inputs"),
        ({"features": ge.RandomFeatures("tanh")}, "`penalty` must be l2 unless the student sees isotropic inputs"),
        (
            {"features": ge.NNGP("tanh")},
            "`penalty` must be l2 unless the student sees isotropic inputs, but penalty=l1 meets features or a kernel",
        ),
    ],
)
def test_other_students_are_refused_by_name(options, words):
    with pytest.raises(ge.ArgumentError, match=words):
        ge.solve(ge.Problem(ge.LinearTarget("rademacher"), learner=ge.Lasso(0.1), **options), [1.0])


def test_a_prior_with_a_mean_needs_centred_coordinates():
    with pytest.raises(ge.ArgumentError, match="`prior` must be of zero mean on inputs with a mean"):
        ge.solve(ge.Problem(ge.LinearTarget(SKEWED, noise=0.1), ge.GaussianInputs(mean=0.5), ge.Lasso(0.1)), [1.0])


@pytest.mark.parametrize("loss", ["absolute", "quantile:0.2"])
@pytest.mark.parametrize("penalty", ["l1", "elastic_net:0.5"])
@pytest.mark.parametrize("labels", [{"noise": 0.1}, {"labels": ge.Output(lambda z: z, 0.1, name="identity")}], ids=["plain", "output"])
def test_kinks_of_the_loss_where_no_weight_is_left(loss, penalty, labels):
    """V vanishes and with it the distance of the loss's kinks, away from the mean of the residual: the error is that of the constant."""
    constant = {"absolute": 0.0, "quantile:0.2": 0.5 + np.sqrt(1.1) * special.ndtri(0.2)}[loss]
    learner = ge.ERM(loss, 100.0, penalty, intercept=loss != "absolute")
    curve = ge.solve(ge.Problem(ge.DeepNetwork((), offset=0.5, **labels), learner=learner), [0.5, 5.0])
    assert curve.converged.all() and curve.steps.max() < 20 and curve.q.max() < 1e-20
    np.testing.assert_allclose(curve.test_error, 1.1 + (0.5 - constant) ** 2, rtol=1e-6)
