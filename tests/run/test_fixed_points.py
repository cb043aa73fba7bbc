"""The verbs `fixed_points`, `thresholds`, `phase_diagram`, and solve on their branches."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.learners.bayes.general_bayes import general_curve

SIGN = ge.Problem(ge.LinearTarget("rademacher", labels="sign"))


def test_branches_and_their_equilibrium():
    found = ge.fixed_points(SIGN, [1.0, 1.4, 1.6])
    assert found.overlap.dims == ("branch", "alpha")
    assert found.equilibrium.values.tolist() == ["uninformed", "informed", "uninformed"]
    assert np.isnan(found.overlap.sel(branch="unstable").values[2])
    assert found.overlap.sel(branch="uninformed").values[2] == 1.0
    assert bool(found.converged.all())
    low, top = (found.sel(branch=kind, alpha=1.4) for kind in ("uninformed", "informed"))
    assert float(low.test_error) == pytest.approx(0.15164, abs=5e-6)
    assert float(low.gibbs_error) == pytest.approx(np.arccos(float(low.q)) / np.pi, abs=1e-9)
    assert float(top.mutual_information) == pytest.approx(np.log(2), abs=1e-6)


def test_solve_follows_the_branch_that_is_asked_for():
    learners = (ge.BayesOptimal(), ge.BayesOptimal(branch="uninformed"), ge.BayesOptimal(branch="informed"))
    curve = ge.solve(ge.Problem(SIGN.target, learner=learners), [0.5, 1.3, 1.6])
    assert curve.learner.values.tolist() == ["bayes", "bayes(uninformed)", "bayes(informed)"]
    assert curve.overlap.values[0][1:] == pytest.approx([1.0, 1.0], abs=1e-12)
    z, weights = np.polynomial.hermite_e.hermegauss(120)  # state evolution written out: q <- E tanh(R + sqrt(R) z), R = alpha fisher
    q = 0.0
    for _ in range(200):
        R = 0.5 * float(SIGN.target.channel.fisher(np.array(q), np.array(1 - q), 0.0))
        q = float(weights @ np.tanh(R + np.sqrt(R) * z)) / np.sqrt(2 * np.pi)
    assert float(curve.overlap.values[0][0]) == pytest.approx(q, abs=1e-9)
    assert 0.69 < curve.overlap.values[1][1] < 0.75
    assert np.allclose(curve.overlap.values[2], 1.0)
    assert bool((ge.rerun(curve).q == curve.q).all())


@pytest.mark.parametrize("labels, noise", [(None, 0.2), ("sign", 0.1), ("logit", 0.0)])
def test_a_gaussian_prior_gives_the_curves_of_the_closed_equations(labels, noise):
    """The general fixed points against the learner's own equations."""
    target = ge.DeepNetwork("tanh", depth=2, weight_variance=4, labels=labels, noise=noise)
    alpha = [0.3, 1.0, 4.0]
    own, general = ge.solve(ge.Problem(target), alpha), ge.fixed_points(ge.Problem(target), alpha).sel(branch="uninformed")
    for name in ("test_error", "clean_error", "q", "qhat"):
        assert np.allclose(own[name], general[name], rtol=2e-8), name


def test_the_gibbs_error_is_twice_the_bayes_error_of_a_clean_real_label():
    found = ge.fixed_points(ge.Problem(ge.LinearTarget("gauss-bernoulli:0.3", labels="relu", noise=0.1)), [0.7])
    one = found.sel(branch="uninformed")
    assert float(one.gibbs_error.item()) == pytest.approx(2 * float(one.clean_error.item()), rel=1e-12)


def test_a_structured_spectrum_and_a_general_channel():
    """q = mean[R v^2/(1 + R v)] with the channel's Fisher information at the fixed point."""
    target = ge.DeepNetwork("erf", labels="quantised:-0.5/0.5", noise=0.05)
    problem = ge.Problem(target, ge.GaussianInputs("two-level:4:0.2:0.2"))
    e = problem.equivalent()
    found = ge.solve(problem, [1.5])
    q = float(found.q[0])
    R = 1.5 * float(e.channel.fisher(q, float(e.weights @ e.signal_modes) - q + e.model_noise))
    v = e.signal_modes
    assert q == pytest.approx(float(e.weights @ (R * v**2 / (1 + R * v))), rel=1e-9)


def test_offsets_are_averaged_and_given_ones_are_kept():
    target = ge.DeepNetwork("tanh", bias_variance=0.5, readout_bias_variance=0.3, labels="quantised:0/0.5", noise=0.1)
    averaged = ge.solve(ge.Problem(target), [1.0])
    given = [
        float(
            ge.solve(
                ge.Problem(ge.DeepNetwork("tanh", bias_variance=0.5, labels="quantised:0/0.5", noise=0.1, offset=b)), [1.0]
            ).test_error[0]
        )
        for b in (-3.0, 0.25)
    ]
    assert given[0] < 1e-3  # every label is in the lowest bin
    assert given[0] < float(averaged.test_error[0]) < given[1]
    e = ge.Problem(target).equivalent()
    b0, mass = e.offset_nodes(smooth=6)
    fine = [float(general_curve(e.with_offset(float(b)), np.array([1.0]), "equilibrium")["test_error"][0]) for b in b0]
    assert float(averaged.test_error[0]) == pytest.approx(float(mass @ np.array(fine)), rel=1e-4)
    with pytest.raises(ge.ArgumentError, match="offset"):
        ge.fixed_points(ge.Problem(target), [1.0])


def test_phase_diagram_of_sparse_weights():
    problem = ge.Problem(ge.LinearTarget("gauss-bernoulli:0.1", noise=1e-6))
    found = ge.phase_diagram(problem, {"density": [0.1, 0.3]}, [0.05, 0.18, 0.45, 0.9], progress=False)
    assert found.phase.dims == ("density", "alpha")
    names = found.phase.attrs["flag_meanings"].split()
    assert [names[int(k)] for k in found.phase.values[0]] == ["unique", "hard", "easy", "easy"]
    edges = found.sel(density=0.1)
    assert float(edges.informed) < float(edges.information_theoretic) < float(edges.algorithmic)
    assert np.all(found.overlap >= found.overlap_uninformed - 1e-12)


def test_phase_retrieval_is_impossible_below_weak_recovery():
    found = ge.phase_diagram(ge.Problem(ge.LinearTarget(labels="abs", noise=0.01)), {"noise": [0.01]}, [0.4, 0.8, 1.3], progress=False)
    names = found.phase.attrs["flag_meanings"].split()
    assert [names[int(k)] for k in found.phase.values[0]][::2] == ["impossible", "easy"]
    assert float(found.weak_recovery[0]) > 0.5


def test_labels_that_say_nothing():
    random = ge.Problem(ge.LinearTarget("rademacher", labels="random"))
    found = ge.fixed_points(random, [3.0]).sel(branch="uninformed")
    assert float(found.overlap.item()) == 0 and float(found.test_error.item()) == pytest.approx(0.5)
    assert float(found.mutual_information.item()) == pytest.approx(0.0, abs=1e-12)
    assert ge.thresholds(random).weak_recovery == np.inf


def test_little_noise_keeps_the_information_finite():
    """Noise 1e-12: I is about half a log of signal over noise a dimension, not infinite."""
    found = ge.solve(ge.Problem(ge.LinearTarget(labels="abs", noise=1e-12)), [3.0])
    assert 13 < float(found.mutual_information[0]) < 16


def test_thresholds_where_there_is_no_transition():
    found = ge.thresholds(ge.Problem(ge.DeepNetwork("tanh", noise=0.1)))
    assert found.transitions == () and found.weak_recovery == 0.0 and found.perfect == np.inf


def test_figures_of_branches_and_phases(tmp_path):
    found = ge.fixed_points(SIGN, np.linspace(0.8, 1.7, 10))
    ge.plot.branches(found, observable="test_error").figure.savefig(tmp_path / "branches.png")
    problem = ge.Problem(ge.LinearTarget("gauss-bernoulli:0.1"))
    diagram = ge.phase_diagram(problem, {"noise": [1e-6, 1e-4, 1e-2]}, [0.1, 0.2, 0.3], progress=False)
    ax = ge.plot.phase_diagram(diagram)
    ax.figure.savefig(tmp_path / "phases.png")
    assert ax.get_yscale() == "log"
    saved = ge.load(ge.save(diagram, tmp_path / "phases.nc"))
    assert np.array_equal(saved.phase, diagram.phase)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: ge.fixed_points(SIGN, [-1.0]), "alpha"),
        (lambda: ge.phase_diagram(SIGN, {}, [1.0]), "over"),
        (lambda: ge.phase_diagram(SIGN, None, [1.0]), "over"),
        (lambda: ge.phase_diagram(SIGN, {"noise": [0.1], "flips": [0.1]}, [1.0]), "one parameter"),
        (lambda: ge.phase_diagram(SIGN, {"nois": [0.1]}, [1.0]), "Did you mean 'noise'"),
        (lambda: ge.phase_diagram(SIGN, {"densty": [0.1]}, [1.0]), "densty.*target has prior, task, noise"),
        (lambda: ge.sweep(SIGN, [1.0], {"nois": [0.1]}), "Did you mean 'noise'.*target has prior, task, noise"),
        (lambda: ge.phase_diagram(SIGN.target, {"noise": [0.1]}, [1.0]), "problem"),
        (lambda: ge.fixed_points(ge.Problem(features=ge.RandomFeatures("erf")), [1.0]), "features"),
        (lambda: ge.BayesOptimal(branch="best"), "branch"),
        (lambda: ge.BayesOptimal("uninformed"), "Did you mean branch='uninformed'"),
        (lambda: ge.BayesOptimal("Informd"), "Did you mean branch='informed'"),
        (lambda: ge.BayesOptimal("tanh"), r"assumes='tanh'\.$"),
        (lambda: ge.solve(ge.Problem(SIGN.target, learner=ge.BayesOptimal(assumes=ge.DeepNetwork())), [1.0]), "assumes"),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(ge.ArgumentError, match=words):
        call()
