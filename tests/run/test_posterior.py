"""`sample_posterior`: what it returns and refuses, Nishimori identities, and runs that are killed and go on."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.errors import ArgumentError, ConvergenceWarning
from gaussequiv.run.posterior import sample_posterior

jax = pytest.importorskip("jax")
TARGET = ge.DeepNetwork("tanh", noise=0.3, widths=(7,))
SMALL = {"d": 5, "draws": 300, "warmup": 100, "chains": 3, "test_samples": 64}


@pytest.fixture(scope="module")
def small():
    return sample_posterior(ge.Problem(TARGET), 2.0, trials=2, **SMALL)


def test_dimensions_and_provenance(small):
    assert small.test_error.dims == ("start", "alpha", "trial")
    assert small.m_trace.shape == (2, 1, 2, 3, 300)
    assert small.weight_overlap.dims == ("start", "alpha", "trial", "layer")
    assert small.kernel_overlap_trace.dims == ("start", "alpha", "trial", "chain", "draw", "layer")
    assert small.kernel_overlap_prior.dims == ("alpha", "trial", "layer")
    assert small.coverage.dims == ("start", "alpha", "trial", "level")
    assert small.acceptance.dims == ("start", "alpha", "trial", "chain")
    assert small.n.values.tolist() == [10]
    assert small.test_error_mean.dims == ("start", "alpha")
    assert small.attrs["agreement"] == "agree"
    assert bool(small.converged.all())
    assert np.all(np.isfinite(small.kernel_overlap.values[..., 0]))
    assert "weights" not in small


def test_every_number_has_its_diagnostics(small):
    numbers = ["test_error", "clean_error", "gibbs_error", "gibbs_test_error", "m", "q", "draw_q", "weight_overlap", "kernel_overlap"]
    numbers += ["log_loss", "calibration_error", "coverage", "log_likelihood", "readout_square"]
    for name in numbers:
        for kind in ("r_hat", "ess"):
            found = small[f"{name}_{kind}"].values
            found = found[..., :1] if name == "kernel_overlap" else found
            assert np.all(np.isfinite(found)), name
    assert np.all(small.r_hat.values <= 1.05)
    assert np.all(small.ess.values >= 100)


def test_a_linear_target_has_the_error_of_its_exact_posterior_mean():
    """The same teacher, rows and labels as `simulate`, whose Bayes-optimal learner is the posterior mean in closed form."""
    problem = ge.Problem(ge.DeepNetwork((), noise=0.3))
    exact = ge.simulate(problem, 2.0, d=8, trials=3, seed=5, test_samples=128)
    found = sample_posterior(problem, 2.0, d=8, trials=3, seed=5, test_samples=128, draws=500, warmup=200, start="informed")
    for name in ("test_error", "clean_error"):
        error, target = found[name].values[0], exact[name].values
        # a mean over draws that is off by delta errs by 2 <residual, delta> + <delta, delta>, and <delta, delta> = sampling_excess
        excess = found.sampling_excess.values[0]
        assert np.all(np.abs(error - target) < 4 * np.sqrt(target * excess) + 4 * excess)
        assert np.all(excess < 0.02 * target)
    assert found.m.values[0] == pytest.approx(exact.m.values, rel=0.05)


def test_trials_do_not_depend_on_the_others(small):
    one = sample_posterior(ge.Problem(TARGET), 2.0, trials=1, **SMALL)
    assert one.test_error.values[:, 0, 0].tolist() == small.test_error.values[:, 0, 0].tolist()


@pytest.mark.slow
def test_points_do_not_depend_on_the_others(small):
    two = sample_posterior(ge.Problem(TARGET), [1.0, 2.0], trials=1, **SMALL)
    assert two.test_error.values[:, 1, 0].tolist() == small.test_error.values[:, 0, 0].tolist()


@pytest.mark.slow
def test_weights_are_kept_on_request():
    result = sample_posterior(ge.Problem(TARGET), 2.0, start="uninformed", keep_weights=True, **SMALL)
    assert result.weights.shape == (1, 1, 1, 3, 300, 5 * 7 + 7)
    readout = result.weights.values[..., :7]  # in alphabetical order: readout, weights
    assert np.mean(readout**2, axis=-1) == pytest.approx(result.readout_square_trace.values, rel=1e-12)


@pytest.mark.parametrize(
    "target",
    [
        ge.DeepNetwork(ge.Activation(lambda x: jax.numpy.tanh(2 * x)), noise=0.3, widths=(5,)),
        ge.DeepNetwork("tanh", labels=ge.Output(lambda z: jax.numpy.tanh(3 * z), noise=0.1), widths=(5,)),
    ],
)
def test_functions_of_the_user_are_sampled(target):
    """They are looked at for jumps, also while the chains are being compiled."""
    with pytest.warns(ConvergenceWarning):  # 20 draws are too few to be called converged
        result = sample_posterior(ge.Problem(target), 2.0, start="uninformed", **(SMALL | {"draws": 20, "warmup": 20}))
    assert np.isfinite(result.test_error.values).all()


@pytest.mark.slow
def test_chains_that_did_not_mix_are_reported():
    with pytest.warns(ConvergenceWarning, match="max_steps"):
        result = sample_posterior(ge.Problem(TARGET), 2.0, start="informed", **(SMALL | {"draws": 8}))
    assert not bool(result.converged.any())


def test_an_interruption_keeps_the_finished_trials(small, monkeypatch):
    from gaussequiv.run import posterior

    def stopped(items, label, show):
        for i, item in enumerate(items):
            if i > 0.7 * len(items):
                raise KeyboardInterrupt
            yield item

    monkeypatch.setattr(posterior, "progress_bar", stopped)
    with pytest.raises(ge.Interrupted) as caught:
        sample_posterior(ge.Problem(TARGET), 2.0, trials=2, **SMALL)
    assert caught.value.partial.sizes["trial"] == 1
    assert caught.value.partial.test_error.values[..., 0].tolist() == small.test_error.values[..., 0].tolist()


def test_labels_have_probabilities():
    target = ge.DeepNetwork("tanh", noise=0.3, task="classification", widths=(7,))
    result = sample_posterior(ge.Problem(target), 2.0, **SMALL)
    assert 0 < float(result.test_error[0, 0, 0]) < 0.6
    assert float(result.brier[0, 0, 0]) < 0.3
    assert float(result.log_loss[0, 0, 0]) < 0.8
    assert "coverage" not in result
    assert "sampling_excess" not in result


def test_the_callers_precision_is_untouched(small):
    assert jax.config.jax_enable_x64 is False


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (TARGET, {"chains": 1}, "`chains` must be an integer of at least 2"),
        (TARGET, {"start": "warm"}, "`start` must be one of uninformed, informed"),
        (TARGET, {"start": ()}, "`start` must be"),
        (TARGET, {"sampler": "gibbs"}, "`sampler` must be one of hmc, nuts"),
        (TARGET, {"draws": 3}, "`draws` must be an integer of at least 8"),
        (TARGET, {"test_samples": 3}, "`test_samples`"),
        (ge.DeepNetwork("tanh"), {}, "hard constraint"),
        (ge.DeepNetwork("tanh", task="classification"), {}, "would jump"),
        (ge.DeepNetwork("relu", noise=0.1, offset=0.2), {}, "`offset` must be None"),
        (ge.DeepNetwork((), noise=0.1), {"marginal_readout": True}, "`marginal_readout` must be False"),
        (ge.DeepNetwork("sign", noise=0.1), {}, "`activations` must be continuous to sample .* 'sign' jumps at .* gradients"),
    ],
)
def test_wrong_arguments_are_named(target, options, message):
    with pytest.raises(ArgumentError, match=message):
        sample_posterior(ge.Problem(target), 2.0, **({"d": 5} | options))


def test_nishimori_identities():
    """Teacher and draws are exchangeable: a draw errs twice as much as the posterior mean, and m = q. 16 teachers, d = 20."""
    network = ge.DeepNetwork("tanh", depth=2, noise=0.2)
    result = sample_posterior(
        ge.Problem(network), 1.5, d=20, trials=16, start="uninformed", draws=120, warmup=100, chains=4, test_samples=256
    )
    assert bool(result.converged.all())
    exact = result.clean_error - result.sampling_excess
    for one, other in ((result.gibbs_error, 2 * exact), (result.m, result.q)):
        values = (one - other).values.ravel()
        stderr = values.std(ddof=1) / np.sqrt(values.size)
        assert abs(values.mean()) < 4 * stderr
        assert stderr < 0.1 * float(one.mean())  # the identity is not one of two numbers lost in noise


def test_predictive_intervals_cover_what_they_say():
    """Over teachers the ranks of fresh labels are uniform; rows of one teacher are dependent, hence the spread over trials."""
    result = sample_posterior(ge.Problem(TARGET), 2.0, trials=16, **SMALL)
    excess = result.coverage.values[0, 0] - result.level.values
    z = excess.mean(axis=0) / (excess.std(axis=0, ddof=1) / 4)
    assert np.all(np.abs(z) < 4)


CALL = """
import sys, warnings, numpy as np, gaussequiv as ge
from gaussequiv.run.posterior import sample_posterior
problem = ge.Problem(ge.DeepNetwork(tuple(sys.argv[2].split()), noise=0.3))
sample_posterior(problem, [float(a) for a in sys.argv[3].split()], trials=int(sys.argv[4]), checkpoint=sys.argv[1],
                 d=5, chains=2, draws=600, warmup=60, test_samples=64, start="uninformed", checkpoint_every=10)
"""


def whole(activations, alpha, trials, folder=None):
    """What the process above does, in this one."""
    problem = ge.Problem(ge.DeepNetwork(tuple(activations.split()), noise=0.3))
    points = [float(a) for a in alpha.split()]
    options = {"d": 5, "chains": 2, "draws": 600, "warmup": 60, "test_samples": 64, "start": "uninformed", "checkpoint_every": 10}
    return sample_posterior(problem, points, trials=int(trials), checkpoint=folder, **options)


def stamp(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npz")} if folder.exists() else {}


def kill_and_resume(folder, kills, *call):
    reference = whole(*call)
    rng, survived = np.random.default_rng(0), 0
    for _ in range(kills):
        before, process = stamp(folder), subprocess.Popen([sys.executable, "-c", CALL, str(folder), *call], stderr=subprocess.PIPE)
        while process.poll() is None and stamp(folder) == before:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.12))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            survived += 1
        message = process.communicate()[1].decode()
        assert process.returncode in (0, -signal.SIGKILL), message[-2000:]
    assert survived >= 0.7 * kills, "the run was over before it could be killed"
    resumed = whole(*call, folder)
    assert resumed.identical(reference)
    for name in reference.data_vars:
        assert np.array_equal(resumed[name].values, reference[name].values, equal_nan=True), name


def test_a_run_that_is_killed_goes_on_bit_for_bit(tmp_path):
    kill_and_resume(tmp_path / "run", 2, "", "2.0", "1")


@pytest.mark.slow
def test_a_run_that_is_killed_ten_times_goes_on_bit_for_bit(tmp_path):
    kill_and_resume(tmp_path / "run", 10, "tanh erf", "2.0 4.0", "2")


def test_a_checkpoint_belongs_to_one_call(tmp_path):
    folder, problem = tmp_path / "run", ge.Problem(TARGET)
    first = sample_posterior(problem, 2.0, checkpoint=folder, **SMALL)
    again = sample_posterior(problem, 2.0, checkpoint=folder, **SMALL)  # nothing left to do
    assert first.identical(again)
    with pytest.raises(ArgumentError, match="another draws: 300, now 301"):
        sample_posterior(problem, 2.0, checkpoint=folder, **(SMALL | {"draws": 301}))
    with pytest.raises(ArgumentError, match="another problem"):
        sample_posterior(ge.Problem(ge.DeepNetwork("erf", noise=0.3, widths=(7,))), 2.0, checkpoint=folder, **SMALL)
    (folder / "current.npz").write_text("something else")
    with pytest.raises(ArgumentError, match="must be a new file or one that an earlier run wrote"):
        sample_posterior(problem, 2.0, checkpoint=folder, **SMALL)
    with pytest.raises(ArgumentError, match="must be a folder"):
        sample_posterior(problem, 2.0, checkpoint=folder / "current.npz", **SMALL)
