"""Real signals at random moments: exit code 130, no traceback, no stray files, and what was finished in a file that reads back."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import gaussequiv as ge
from gaussequiv.cli import app

LAUNCH = """
import os
from gaussequiv import __main__, _process
_process.run(lambda: (os.write(2, b"up\\n"), __main__._command()))
"""
NETWORK = ["--activation=tanh", "--depth=2", "--noise=0.2"]
CHEAP = {
    "theory": ["theory", "--alpha=0.1:7:20", "--learner=logistic", "--task=classification", "--over=lam=0.01:10:12:log", "--output=o.nc"],
    "simulate": ["simulate", *NETWORK, "--alpha=0.5,1", "--d=50", "--trials=60", "--learner=ridge", "--lam=1", "--output=o.nc"],
    "compare": ["compare", "--alpha=0.5,2", "--d=40", "--trials=8", "--learner=ridge", "--over=lam=0.1,1,10", "--output=o.json"],
    "track": ["track", *NETWORK, "--alpha=2", "--d=50", "--trials=25", "--output=o.csv"],
    "phases": ["phase-diagram", "--prior=rademacher", "--labels=sign", "--alpha=0.5:2:8", "--over=flips=0:0.2:6", "--output=o.nc"],
    "predict": ["predict-curve", "table.csv", "--target=y", "--train-sizes=50:400:6", "--validate", "--output=o.nc"],
}
CHAINS = ["--draws=40", "--warmup=20", "--chains=2", "--checkpoint=kept"]
DEAR = {
    "posterior": ["sample-posterior", *NETWORK, "--widths=4", "--alpha=1,2", "--d=4", "--trials=3", *CHAINS, "--output=o.nc"],
    "evidence": ["network-information", "--noise=0.5", "--alpha=1,2", "--d=3", "--trials=3", "--checkpoint=kept.npz", "--output=o.nc"],
}
ALL = CHEAP | DEAR


def prepare(folder):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 8)).round(3)
    y = np.where(x.sum(axis=1) + rng.standard_normal(500) > 0, 1, 0)
    rows = [",".join(map(str, [*row, label])) for row, label in zip(x, y, strict=True)]
    (folder / "table.csv").write_text("\n".join(["a,b,c,d,e,f,g,h,y", *rows]) + "\n")


def start(words, folder):
    """The command as a process that already hears signals."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(ge.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])}
    call = [sys.executable, "-c", LAUNCH, *words]
    process = subprocess.Popen(call, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline() == "up\n"
    return process


def whole(name, folder):
    """(seconds, result) of the command left alone."""
    folder.mkdir()
    prepare(folder)
    begun = time.monotonic()
    process = start(ALL[name], folder)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return time.monotonic() - begun, ge.load(next(folder.glob("o.*")))


def interrupted(name, folder, seconds, signals, full):
    """Signals after so many seconds; returns whether the command was stopped."""
    folder.mkdir()
    prepare(folder)
    process = start(ALL[name], folder)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        for number in signals:
            process.send_signal(number)
            time.sleep(0.002)
    _, errors = process.communicate(timeout=120)
    where = f"{name} after {seconds:.3f} s, {signals}: exit code {process.returncode}, {errors[-2000:]}"
    assert process.returncode in (0, 130) and "Traceback" not in errors and "Exception ignored" not in errors, where
    assert not list(folder.rglob("*.part")), where
    found = sorted(path.name for path in folder.iterdir() if path.name not in ("table.csv", "kept", "kept.npz"))
    output = ALL[name][-1].partition("=")[2]
    assert found in ([], [output]), f"{where}: {found}"
    assert (process.returncode == 0 or "interrupted" in errors) and bool(found) == ("wrote" in errors), where
    if found:
        partial = ge.load(folder / output)
        agrees(partial, full, where)
        assert process.returncode == 130 or partial.sizes == full.sizes, where
        if (kept := folder / "kept").exists():
            assert int(np.isfinite(partial["test_error"]).sum()) // 2 >= len(list(kept.glob("data_set_*.npz"))) - 1, where
    return process.returncode == 130


def agrees(partial, full, where):
    """What is in the part is what the whole run has there."""
    name = "test_error" if "test_error" in full else "phase"
    for dim in partial[name].dims:
        assert np.isin(partial[dim].values, full[dim].values).all(), where
    ours = partial[name]
    theirs = full[name].sel({dim: ours[dim].values for dim in ours.dims})
    known = np.isfinite(ours.values)
    if name == "test_error" and "source" in ours.dims:  # means over the trials that were finished
        known = known & (ours["source"] == "theory").broadcast_like(ours).transpose(*ours.dims).values
    np.testing.assert_allclose(ours.values[known], theirs.transpose(*ours.dims).values[known], rtol=1e-9, err_msg=where)


@pytest.mark.parametrize(
    ("name", "signals"),
    [("theory", (signal.SIGINT,)), ("simulate", (signal.SIGINT, signal.SIGINT)), ("compare", (signal.SIGTERM,))],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_signal_at_any_moment_leaves_a_result_or_nothing(name, signals, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ALL[name]).exit_code == 0
    seconds = np.random.default_rng().uniform(0, 3)
    interrupted(name, tmp_path / "stopped", seconds, signals, ge.load(ALL[name][-1].partition("=")[2]))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "moments"), [*((name, 7) for name in CHEAP), *((name, 4) for name in DEAR)])
def test_fifty_moments(name, moments, tmp_path):
    rng = np.random.default_rng(sum(map(ord, name)) + 1)
    seconds, full = whole(name, tmp_path / "whole")
    for i in range(moments):
        signals = [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGINT)][i % 3]
        stopped = interrupted(name, tmp_path / str(i), rng.uniform(0, seconds), signals, full)
    if name in DEAR and stopped:  # a checkpoint goes on, and gives what the whole run gave
        process = start(ALL[name], tmp_path / str(moments - 1))
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        agrees(ge.load(tmp_path / str(moments - 1) / "o.nc"), full, name)


def test_output_that_cannot_be_printed_does_not_cost_the_file(tmp_path):
    words = ["theory", "--alpha=1", "--json", f"--output={tmp_path / 'a.nc'}"]
    with open("/dev/full", "w") as full:
        ended = subprocess.run([sys.executable, "-m", "gaussequiv", *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1 and "error: the result could not be printed" in ended.stderr and "Traceback" not in ended.stderr
    assert ge.load(tmp_path / "a.nc").sizes["alpha"] == 1
    (tmp_path / "a.nc").unlink()
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run([sys.executable, "-m", "gaussequiv", *words], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    # old binary wheels beside a newer NumPy say something harmless
    said = [line for line in ended.stderr.splitlines() if "numpy.ndarray size changed" not in line]
    assert (ended.returncode, said) == (0, [f"wrote {tmp_path / 'a.nc'}"])


def test_a_result_that_is_being_written_survives_an_interruption(tmp_path, monkeypatch):
    from gaussequiv.cli import outputs

    def stopped(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(outputs, "write", stopped)
    assert CliRunner().invoke(app, ["theory", "--alpha=1", f"--output={tmp_path / 'a.nc'}"]).exit_code == 130
    assert ge.load(tmp_path / "a.nc").sizes["alpha"] == 1


def test_a_phase_diagram_keeps_its_finished_rows(monkeypatch):
    from gaussequiv.run import fixed_points

    def stopped(items, label, show):
        yield items[0]
        raise KeyboardInterrupt

    monkeypatch.setattr(fixed_points, "progress_bar", stopped)
    with pytest.raises(ge.Interrupted) as caught:
        ge.phase_diagram(ge.Problem(ge.LinearTarget("rademacher", labels="sign")), {"flips": [0.0, 0.1]}, [1.0, 1.4])
    partial = caught.value.partial
    assert np.isfinite(partial.phase.values).tolist() == partial.converged.values.tolist() == [[True, True], [False, False]]


def test_a_sweep_gives_no_verdict_to_what_it_did_not_run(monkeypatch):
    fits, original = [], ge.Ridge.fit

    def fit(self, sample, equivalent, key=None):
        fits.append(1)
        if len(fits) == 3:
            raise KeyboardInterrupt
        return original(self, sample, equivalent, key)

    monkeypatch.setattr(ge.Ridge, "fit", fit)
    with pytest.raises(ge.Interrupted) as stop:
        ge.sweep(ge.Problem(learner=ge.Ridge(1.0)), [1.0], {"lam": [0.1, 1.0]}, verb="compare", d=10, trials=2)
    assert stop.value.partial.reason.values.tolist() == ["2 trials are fewer than 16", "interrupted before its first trial"]


def test_a_refit_that_is_stopped_leaves_the_prediction(tmp_path, monkeypatch):
    from gaussequiv.estimators import curves

    def stopped(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(curves, "refit_curve", stopped)
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, CHEAP["predict"]).exit_code == 130
    assert np.isfinite(ge.load(tmp_path / "o.nc").test_error).any()


@pytest.mark.parametrize(
    "waiting", ["signal.setitimer(signal.ITIMER_REAL, 0.02)", "signal.raise_signal(signal.SIGINT)"], ids=["import", "signal"]
)
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals that wait for the end of an import need a timer")
def test_what_arrives_while_python_is_torn_down_is_not_heard(waiting):
    """A signal that waited for the end of an import is heard by a timer; the command has ended before."""
    words = "import atexit, os, signal, time; from gaussequiv import _process; atexit.register(lambda: ({last}, time.sleep(0.1)));"
    last, command = ("None", waiting) if "setitimer" in waiting else (waiting, "None")
    code = words.format(last=last) + f"_process.run(lambda: ({command}, os.write(1, b'done')))"
    environment = os.environ | {"PYTHONPATH": str(Path(ge.__file__).parents[1])}
    process = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert (process.returncode, process.stdout, process.stderr) == (0, "done", "")


def test_an_interruption_before_the_command_begins_is_said_too():
    """While options are read, and once only where the command itself has said so."""
    said = "import typer; from gaussequiv import _process; app = typer.Typer()\n@app.command()\ndef command():\n    "
    environment = os.environ | {"PYTHONPATH": str(Path(ge.__file__).parents[1])}
    for body in ("raise KeyboardInterrupt", "import sys; print('interrupted', file=sys.stderr); raise typer.Exit(130)"):
        call = [sys.executable, "-c", f"{said}{body}\n_process.run(app)"]
        process = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=60)
        assert (process.returncode, process.stderr.strip()) == (130, "interrupted"), body
