"""Checkpoints of `simulate` and `compare`: runs that are killed go on bit for bit, also inside a trial, and a file belongs to one call."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.errors import ArgumentError
from gaussequiv.problems.online_sgd.training import Source
from gaussequiv.store import checkpoint

CALL = """
import sys, gaussequiv as ge
network, generator = ge.TwoLayer("erf", 2), ge.RandomGenerator("sign", latent_ratio=0.4)
problem = ge.OnlineSGD(network, network, generator, data=("generator", "twin"), noise=0.1, dimension=120)
result = ge.compare(problem, [0.0, 1.0, 8.0], trials=12, seed=4, test_samples=500, progress=False, **KEPT)
"""


def whole(checkpoint=None):
    """What the process does, in this one."""
    found = {"KEPT": {} if checkpoint is None else {"checkpoint": checkpoint}}
    exec(CALL, found)
    return found["result"]


def test_training_that_is_killed_goes_on_bit_for_bit(tmp_path):
    file, kills = tmp_path / "trials.npz", 0
    code = CALL.replace("**KEPT", "checkpoint=sys.argv[1]")
    rng = np.random.default_rng(0)
    for _ in range(3):
        before = file.stat().st_mtime_ns if file.exists() else 0
        process = subprocess.Popen([sys.executable, "-c", code, str(file)], stderr=subprocess.PIPE)
        while process.poll() is None and (not file.exists() or file.stat().st_mtime_ns == before):
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.05))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        message = process.communicate()[1].decode()
        assert process.returncode in (0, -signal.SIGKILL), message[-2000:]
    assert kills >= 2, "the run was over before it could be killed"
    resumed, reference = whole(str(file)), whole()
    assert resumed.identical(reference)
    for name in reference.data_vars:
        assert resumed[name].values.tobytes() == reference[name].values.tobytes(), name


def test_finished_trials_are_not_made_again_and_more_may_follow(tmp_path, monkeypatch):
    """Of any problem: leading dims, labels, offsets and resolved options come back."""
    file = tmp_path / "trials.npz"
    problem = ge.Problem(ge.DeepNetwork("relu", noise=0.1), learner=[ge.Ridge(0.1), ge.Lasso(0.1)])
    options = {"d": 20, "seed": 3}
    ge.simulate(problem, [0.5, 2.0], trials=2, checkpoint=file, **options)
    made = []
    monkeypatch.setattr(ge.Problem, "trial", lambda *a, trial=ge.Problem.trial, **k: made.append(a[3]) or trial(*a, **k))
    more = ge.simulate(problem, [0.5, 2.0], trials=3, checkpoint=file, **options)
    fewer = ge.simulate(problem, [0.5, 2.0], trials=1, checkpoint=file, **options)
    assert made == [(3, 2)]
    assert more.identical(ge.simulate(problem, [0.5, 2.0], trials=3, **options))
    assert fewer.identical(ge.simulate(problem, [0.5, 2.0], trials=1, **options))


@pytest.mark.parametrize(
    ("changes", "words"), [({"seed": 1}, "seed"), ({"points": [1.0]}, "points"), ({"d": 12}, "size"), ({"test_samples": 11}, "options")]
)
def test_a_file_belongs_to_one_call(tmp_path, changes, words):
    file = tmp_path / "trials.npz"
    call = {"points": [0.5], "d": 10, "trials": 1, "test_samples": 10}
    ge.simulate(ge.Problem(), checkpoint=file, **call)
    with pytest.raises(ArgumentError, match=f"checkpoint.*another {words}"):
        ge.simulate(ge.Problem(), checkpoint=file, **(call | changes))
    with pytest.raises(ArgumentError, match=r"checkpoint.*another problem"):
        ge.simulate(ge.Problem(ge.DeepNetwork("relu")), checkpoint=file, **call)


def test_other_files_and_other_verbs_are_refused(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("dear diary")
    with pytest.raises(ArgumentError, match="checkpoint"):
        ge.simulate(ge.Problem(), [0.5], d=10, trials=1, checkpoint=file)
    assert file.read_text() == "dear diary"
    with pytest.raises(ArgumentError, match="checkpoint"):
        ge.simulate(ge.Problem(), [0.5], d=10, trials=1, checkpoint=3)
    with pytest.raises(ArgumentError, match=r"checkpoint.*sweep"):
        ge.sweep(ge.Problem(), [0.5], {"depth": [1, 2]}, verb="simulate", d=10, trials=1, checkpoint=tmp_path / "new")
    with pytest.raises(ArgumentError, match="checkpoint"):
        ge.compare(ge.Problem(ge.DeepNetwork("tanh", noise=0.1)), 1.0, d=10, trials=1, axis="step", checkpoint=tmp_path / "new")


LONG = """
import sys, gaussequiv as ge
from gaussequiv.run import kept_trials
kept_trials.HALFWAY_EVERY = 0.02
network, generator = ge.TwoLayer("erf", 2), ge.RandomGenerator("sign", latent_ratio=0.4)
problem = ge.OnlineSGD(network, network, generator, data=("generator", "twin"), noise=0.1, dimension=200, batch=3)
result = ge.simulate(problem, [0.0, 10.0, 100.0, 250.0], trials=1, seed=4, test_samples=500, progress=False, **KEPT)
"""


def test_one_long_trial_that_is_killed_goes_on_inside_bit_for_bit(tmp_path):
    file, places = tmp_path / "trials.npz", []
    code = LONG.replace("**KEPT", "checkpoint=sys.argv[1]")
    rng = np.random.default_rng(1)
    for _ in range(3):
        before = file.stat().st_mtime_ns if file.exists() else 0
        process = subprocess.Popen([sys.executable, "-c", code, str(file)], stderr=subprocess.PIPE)
        while process.poll() is None and (not file.exists() or file.stat().st_mtime_ns == before):
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.1))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        message = process.communicate()[1].decode()
        assert process.returncode in (0, -signal.SIGKILL), message[-2000:]
        header, arrays = checkpoint.read(file)
        assert header["curves"] == [], "the trial was over before it could be killed"
        places.append(sum(int(value[0]) for name, value in arrays.items() if name.endswith("/place")))
    assert 0 < places[0] < places[1] < places[2] < 2 * 250 * 200
    found = {"KEPT": {}}
    exec(LONG, found)
    resumed = ge.simulate(found["problem"], found["result"].time, trials=1, seed=4, test_samples=500, checkpoint=file)
    assert resumed.identical(found["result"])
    for name in found["result"].data_vars:
        assert resumed[name].values.tobytes() == found["result"][name].values.tobytes(), name


def test_an_interruption_keeps_the_trial_under_way(tmp_path, monkeypatch):
    file, problem = tmp_path / "trials.npz", ge.OnlineSGD(ge.TwoLayer("erf", 1), ge.TwoLayer("erf", 1), dimension=20)
    block, drawn = Source.block, []

    def stopped(self, number, purpose):
        drawn.append((self.key, number))
        if drawn[-1] == ((0, 1), 2):
            raise KeyboardInterrupt
        return block(self, number, purpose)

    with monkeypatch.context() as patched:
        patched.setattr(Source, "block", stopped)
        with pytest.raises(ge.Interrupted) as stop:
            ge.simulate(problem, [250.0], trials=2, test_samples=10, checkpoint=file)
    assert stop.value.partial.sizes["trial"] == 1
    header, arrays = checkpoint.read(file)
    assert len(header["curves"]) == 1 and arrays["halfway/generator/place"].tolist() == [2048, 2, 0]
    drawn.clear()
    monkeypatch.setattr(Source, "block", lambda self, *which: drawn.append((self.key, which[0])) or block(self, *which))
    resumed = ge.simulate(problem, [250.0], trials=2, test_samples=10, checkpoint=file)
    assert drawn[0] == ((0, 1), 2)
    assert not any(name.startswith("halfway") for name in checkpoint.read(file)[1])
    assert resumed.identical(ge.simulate(problem, [250.0], trials=2, test_samples=10))
