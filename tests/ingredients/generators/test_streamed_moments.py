"""Moments from samples: exact for linear generators, as wrong as they say for others, resumed to the last bit."""

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.generators.streamed_moments import streamed_moments

OPTIONS = {"tolerance": 0.02, "max_samples": 10**6, "seed": 0}


def test_linear_generators_are_exact():
    F, shift = np.random.default_rng(0).standard_normal((20, 6)), np.arange(20.0)
    found = streamed_moments(lambda c: c @ F.T + shift, 20, 6, **OPTIONS)
    assert found.omega == pytest.approx(F @ F.T, abs=1e-11) and found.phi == pytest.approx(F, abs=1e-12)
    assert found.mean == pytest.approx(shift, abs=1e-11) and max(found.omega_error, found.phi_error) < 1e-13


@pytest.mark.parametrize("activation", ["relu", "sign"])
def test_the_error_is_what_is_said(activation):
    """Ten streams beside the closed forms: the ratio of true to estimated error is 1, within their spread, and none is biased."""
    drawn = ge.RandomGenerator(activation, latent_ratio=0.4).draw(50, np.random.default_rng(1))
    exact, runs = drawn.moments(), []
    for seed in range(10):
        runs.append(streamed_moments(drawn.outputs, 50, 20, **(OPTIONS | {"seed": seed, "tolerance": 1e-9, "max_samples": 40_000})))
    size, spread = np.linalg.norm(exact.omega), np.sqrt(np.trace(exact.omega))
    for name, unit in (("omega", size), ("phi", spread)):
        true = [np.linalg.norm(getattr(run, name) - getattr(exact, name)) / unit for run in runs]
        said = [getattr(run, f"{name}_error") for run in runs]
        assert np.mean(true) == pytest.approx(np.mean(said), rel=0.15)
        mean = np.mean([getattr(run, name) for run in runs], axis=0)
        assert np.linalg.norm(mean - getattr(exact, name)) / unit < 2 * np.mean(said) / np.sqrt(10)
    assert {run.samples for run in runs} == {runs[0].samples} and runs[0].samples <= 40_000


def test_sampling_stops_at_the_tolerance():
    drawn = ge.RandomGenerator("sign", latent_ratio=0.4).draw(30, np.random.default_rng(1))
    told = []
    found = streamed_moments(drawn.outputs, 30, 12, tell=lambda *facts: told.append(facts), **OPTIONS)
    assert told[-1] == (found.samples, max(found.omega_error, found.phi_error)) and told[-1][1] <= 0.02
    assert all(error > 0.02 for _, error in told[:-1])
    new = [later for earlier, later in pairwise([(0, np.inf), *told]) if later[1] != earlier[1]]
    assert {later / earlier for (earlier, _), (later, _) in pairwise(new)} <= {2.0}
    assert [samples for samples, _ in told] == list(range(1024, found.samples + 1, 1024))  # every block once


def test_a_stopped_stream_goes_on_to_the_same_last_bit(tmp_path):
    drawn = ge.RandomGenerator("sign", latent_ratio=0.4).draw(30, np.random.default_rng(1))
    options = OPTIONS | {"tolerance": 0.008}
    whole = streamed_moments(drawn.outputs, 30, 12, **options)

    class Stop(Exception):
        pass

    def stop(samples, error):
        if samples >= whole.samples // 4:
            raise Stop

    path = tmp_path / "moments.npz"
    with pytest.raises(Stop):
        streamed_moments(drawn.outputs, 30, 12, path=path, tell=stop, **options)
    calls = []

    def counted(c):
        calls.append(len(c))
        return drawn.outputs(c)

    resumed = streamed_moments(counted, 30, 12, path=path, **options)
    assert sum(calls) < 0.8 * whole.samples
    for name in ("mean", "omega", "phi"):
        assert np.array_equal(getattr(resumed, name), getattr(whole, name))
    with pytest.raises(ge.ArgumentError, match="another seed"):
        streamed_moments(drawn.outputs, 30, 12, path=path, **(options | {"seed": 1}))


SLOW = """
import sys, time
import numpy as np
import gaussequiv as ge

F = np.random.default_rng(0).standard_normal((30, 12)) / 3
def signs(c):
    time.sleep(float(sys.argv[2]))
    return np.sign(c @ F.T)

generator = ge.FunctionGenerator(signs, 12, name="signs", tolerance=0.006, cache=sys.argv[1])
np.save(sys.argv[1] + "/omega.npy", generator.moments().omega)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_killed_stream_goes_on(tmp_path):
    """kill -9 while samples are drawn; a second process finds the sums, needs the rest alone and ends with the same bits."""
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    kept, whole = tmp_path / "kept", tmp_path / "whole"
    kept.mkdir(), whole.mkdir()
    run = [sys.executable, str(script)]
    killed = subprocess.Popen([*run, str(kept), "0.1"], env=os.environ)
    patience = time.monotonic() + 60
    while not list(kept.glob("moments-*.npz")) and time.monotonic() < patience:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert list(kept.glob("moments-*.npz")) and not (kept / "omega.npy").exists()
    for folder in (kept, whole):
        subprocess.run([*run, str(folder), "0"], check=True)
    assert np.array_equal(np.load(kept / "omega.npy"), np.load(whole / "omega.npy"))
