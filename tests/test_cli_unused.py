"""No command ignores an option: what a command or its learner has no use for is refused by name."""

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from gaussequiv.cli import app
from gaussequiv.cli.options import LEARNER_OPTIONS, STUDENT_OPTIONS

COMMANDS = get_command(app).commands
TRAINING = {"theory", "simulate", "compare", "equivalent"}  # these have students
DESCRIBING = sorted(name for name, found in COMMANDS.items() if {"activation", "lam"} <= {option.name for option in found.params})
VALUES = {
    "learner": ["--learner", "ridge"],
    "lam": ["--lam", "3"],
    "penalty": ["--penalty", "l1"],
    "class_weight": ["--class-weight", "1,2"],
    "minimise": ["--minimise", "auc"],
    "intercept": ["--no-intercept"],
    "features": ["--features", "nngp"],
    "feature_depth": ["--feature-depth", "2"],
}
OWN = {"sample-posterior": ["--alpha", "1"], "track": ["--alpha", "1"], "phase-diagram": ["--over", "noise=0.1,0.2"]}
OWN["network-information"] = ["--alpha", "1"]


def refused(command, *arguments):
    result = CliRunner().invoke(app, [command, *OWN.get(command, []), *arguments])
    assert result.exit_code == 2, (command, arguments, result.stdout, result.stderr)
    return result.stderr


def test_every_command_that_describes_a_problem_is_covered():
    assert set(DESCRIBING) - TRAINING >= {"thresholds", "fixed-points", "phase-diagram", "information", "validity", "track"}
    assert set(VALUES) >= set(LEARNER_OPTIONS) and {name for name in STUDENT_OPTIONS if not name.startswith("feature_")} <= set(VALUES)


@pytest.mark.parametrize("command", sorted(set(DESCRIBING) - TRAINING))
def test_commands_without_students_refuse_what_describes_students(command):
    for name in STUDENT_OPTIONS:
        value = VALUES.get(name, [f"--{name.replace('_', '-')}", "1"])
        assert f"Argument `{name}` must be left out of `gaussequiv {command}`" in refused(command, *value)
    assert "`lam`" in refused(command, "--learner", "bayes", "--lam", "3")


def test_the_case_that_was_ignored():
    assert "`learner`" in refused("thresholds", "--learner", "ridge", "--lam", "3")
    assert CliRunner().invoke(app, ["thresholds", "--learner", "bayes", "--noise", "0.1"]).exit_code == 0


@pytest.mark.parametrize("command", ["theory", "simulate", "compare"])
@pytest.mark.parametrize(
    ("learner", "unused"),
    [("bayes", ("lam", "penalty", "class_weight", "minimise", "intercept")), ("ridge", ("penalty", "class_weight", "minimise"))],
)
def test_learners_refuse_options_that_are_not_theirs(command, learner, unused):
    for name in unused:
        assert f"`{name}`" in refused(command, "--task", "classification", "--learner", learner, *VALUES[name], "--alpha", "1")


def test_the_equivalent_depends_on_no_penalty():
    for name in LEARNER_OPTIONS[1:]:
        assert f"`{name}` must be left out of `gaussequiv equivalent`" in refused("equivalent", "--learner", "logistic", *VALUES[name])


@pytest.mark.parametrize("command", ["theory", "simulate", "compare"])
def test_options_of_a_learner_need_one(command):
    for name in LEARNER_OPTIONS[1:]:
        assert "`learner`" in refused(command, *VALUES[name])


@pytest.mark.parametrize("command", ["thresholds", "track", "information"])
def test_help_shows_no_option_that_the_command_refuses(command):
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout
    assert "--activation" in shown
    assert "--lam" not in shown and "--features" not in shown


def test_help_says_defaults():
    shown = CliRunner().invoke(app, ["compare", "--help"], env={"COLUMNS": "400"}).stdout
    for option, default in (
        ("--activation", "tanh"),
        ("--noise", "0"),
        ("--trials", "16"),
        ("--lam", "optimal"),
        ("--allowance", "fitted"),
    ):
        (line,) = [line for line in shown.splitlines() if f" {option} " in line]
        assert f"[default: {default}]" in line, line
