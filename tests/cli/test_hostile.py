"""The command line under hostile lines and files: no traceback, no wrong exit code, nothing lost."""

import json
import tomllib

import numpy as np
import pytest
from typer.testing import CliRunner

import gaussequiv as ge
from gaussequiv.cli import app
from gaussequiv.errors import ConvergenceWarning

EXIT_CODES = {0, 1, 2, 3, 130}
LARGE = ["1e308", "-1e308", "1e200", "5e-324", "9" * 5000, "1" + "0" * 400, "1e999", "inf", "-inf", "nan"]
ODD = [
    "",
    " ",
    "²",
    "1:2:²",
    "1:2:" + "9" * 5000,
    "1:2:1000000000",
    "é",
    "\x00",
    "\ud800",
    "[1]",
    "--",
    "None",
    "True",
    "1,,2",
    "1;2",
    "0x10",
    "1_0",
]
NAMED = [
    "tanh",
    "leaky_relu:1e308",
    "leaky_relu:²",
    "marchenko-pastur:1e308",
    "marchenko-pastur:1:1e12",
    "power-law:1e308",
    "two-level:1e308:1:0.5",
]
LABELS = ["logit:1e308", "logit:0", "poisson:1e308", "poisson:-1", "random:2", "quantised:1/0", "quantised:" + "1/" * 50, "sign", "abs"]
VALUES = [*LARGE, *ODD, *NAMED, *LABELS, "0", "1", "-1", "2", "0.5", "1,2", "1:2:3", "0.1:7:3:log", "1000000000", "1000000"]
OPTIONS = ["alpha", "n", "d", "depth", "activation", "weight-variance", "bias-variance", "readout-variance", "task", "noise", "labels"]
OPTIONS += ["prior", "flips", "offset", "widths", "width-ratios", "spectrum", "mean", "data", "covariance", "features", "feature-depth"]
OPTIONS += ["learner", "lam", "penalty", "class-weight", "minimise", "over", "sensitivity", "target-error", "problem"]
SIZES = ["trials", "test-samples", "seed", "d", "alpha", "depth", "widths"]


def outcome(arguments, stdin=None):
    """Exit code of a line; what escapes as an exception fails the test."""
    result = CliRunner().invoke(app, arguments, input=stdin)
    escaped = result.exception
    assert escaped is None or isinstance(escaped, SystemExit), f"{arguments!r:.300}: {type(escaped).__name__}: {escaped!s:.200}"
    assert result.exit_code in EXIT_CODES and "Traceback" not in result.output, arguments
    return result.exit_code


def hostile(rng):
    """One line: a command with a few options, one of them out of its mind."""
    if rng.random() < 0.2:
        words = ["simulate", "--d=4", "--trials=1", "--test-samples=8", "--alpha=1", "--depth=1"]
        names = rng.choice(SIZES, 1)
    else:
        command = str(rng.choice(["theory", "equivalent", "information", "validity"]))
        words = [command] if command in ("equivalent", "validity") else [command, "--alpha=1"]
        names = rng.choice(OPTIONS, rng.integers(1, 3), replace=False)
    return words + [f"--{name}={VALUES[rng.integers(len(VALUES))]}" for name in names]


def lines(count, seed):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        outcome(hostile(rng))


def test_hostile_lines():
    lines(50, 0)


@pytest.mark.slow
def test_a_thousand_hostile_lines():
    lines(1000, 1)


@pytest.mark.parametrize(
    "words",
    [
        ["theory", "--alpha", "1:2:²"],
        ["theory", "--alpha", "1:2:" + "9" * 5000],
        ["theory", "--alpha", "1:2:1000000000"],
        ["theory", "--alpha", "1", "--depth", "1000000000"],
        ["theory", "--alpha", "1", "--depth", "1" + "0" * 400],
        ["simulate", "--alpha", "1", "--d", "1000000"],
        ["simulate", "--alpha", "1", "--d", "10", "--trials", "1000000000000"],
        ["simulate", "--alpha", "1", "--d", "10", "--test-samples", "1000000000000000"],
        ["equivalent", "--d", "-1"],
        ["equivalent", "--d", "0"],
        ["information", "--alpha", "1", "--d", "-1"],
        ["compare", "--alpha", "1e300", "--d", "10"],
        ["track", "--alpha", "1", "--d", "1000000"],
        ["sample-posterior", "--alpha", "1", "--d", "1000000"],
    ],
    ids=lambda words: " ".join(words)[:40],
)
def test_what_cannot_be_is_refused_by_name(words):
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2, (result.output, result.exception)
    assert "Argument `" in result.stderr


@pytest.mark.parametrize(
    "text", [b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"a = " + b"[" * 10_000, b"a = " + b"9" * 5000, b'{"target": 1e999}']
)
def test_descriptions_that_are_none_are_refused(tmp_path, text):
    path = tmp_path / "problem.toml"
    path.write_bytes(text)
    assert outcome(["theory", "--alpha", "1", "--problem", str(path)]) == 2
    assert outcome(["theory", "--alpha", "1", "--problem", "-"], stdin=text) == 2


PROBLEM = tomllib.loads("""
[target]
activations = ["tanh", "relu"]
weight_variance = [4.0, 1.0]
noise = 0.1
task = "regression"
[inputs]
spectrum = "power-law:0.5"
mean = 0.0
[features]
name = "random"
activations = ["erf"]
ratio = 2.0
[learner]
name = "erm"
loss = "square"
penalty = "l2"
lam = 0.1
""")
OTHERS = [None, True, -1, 0, 1e308, 10**400, "", "é", [], {}, [[]], {"a": 1}, ["tanh", 1], "nan", [1.0, 2.0, 3.0], "1e308"]


def altered_problem(rng):
    """The description with one value, key or section replaced."""
    changed = json.loads(json.dumps(PROBLEM))
    section = str(rng.choice(list(changed)))
    if rng.random() < 0.2:
        changed[section] = OTHERS[rng.integers(len(OTHERS))]
    else:
        key = str(rng.choice([*changed[section], "unknown", "kind"]))
        changed[section][key] = OTHERS[rng.integers(len(OTHERS))]
    return json.dumps(changed)


def altered_result(rng, result):
    """A result whose saved problem or call has one value replaced."""
    changed = result.copy()
    name = str(rng.choice(["problem", "call"]))
    content = json.loads(changed.attrs[name])
    place = content
    while True:
        key = str(rng.choice([*place, "unknown"]))
        if isinstance(place.get(key), dict) and place[key] and rng.random() < 0.8:
            place = place[key]
            continue
        place[key] = OTHERS[rng.integers(len(OTHERS))]
        changed.attrs[name] = json.dumps(content)
        return changed


def spoilt(rng, count):
    result = ge.sweep(ge.Problem(ge.DeepNetwork("tanh", noise=0.1), learner=ge.Ridge(0.3)), [0.5, 2.0], {"depth": [1, 2]}, d=20)
    for _ in range(count // 2):
        outcome(["theory", "--alpha=1", "--problem=-"], stdin=altered_problem(rng))
        changed = altered_result(rng, result)
        try:
            ge.rerun(changed)
        except (ge.ArgumentError, ConvergenceWarning):
            pass


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning", "ignore:divide:RuntimeWarning")
def test_altered_files():
    spoilt(np.random.default_rng(0), 40)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning", "ignore:divide:RuntimeWarning")
def test_five_hundred_altered_files():
    spoilt(np.random.default_rng(1), 500)


def test_any_verb_that_is_interrupted_leaves_what_it_had_finished(tmp_path, monkeypatch):
    from gaussequiv.run import information, solve

    monkeypatch.chdir(tmp_path)
    part = ge.solve(ge.Problem(), [1.0])

    def stopped(*arguments, **options):
        raise ge.Interrupted(part)

    monkeypatch.setattr(solve, "solve", stopped)
    monkeypatch.setattr(information, "information", stopped)
    for command in ("theory", "information"):
        assert outcome([command, "--alpha=1"]) == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gaussequiv-partial-2.nc", "gaussequiv-partial.nc"]
    assert outcome(["theory", "--alpha=1", "--output=a.png"]) == 130
    assert outcome(["theory", "--alpha=1", "--output=a.json"]) == 130
    for name in ("gaussequiv-partial.nc", "a.nc", "a.json"):
        assert ge.load(tmp_path / name).identical(ge.load(tmp_path / "gaussequiv-partial.nc")), name
