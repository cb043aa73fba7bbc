"""Convex learners, label laws, features and kernels from the command line."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import gaussequiv as ge
from gaussequiv.cli import app

DEEP = ["--activation", "tanh", "--weight-variance", "4", "--depth", "2"]


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def errors(*arguments):
    result = run("theory", *DEEP, *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["test_error"]


def test_logistic_prints_the_published_number():
    """Cui, Krzakala, Zdeborova 2023, appendix H, printed by the authors' code at lam = 0.1, alpha = 2.4."""
    assert errors("--task", "classification", "--learner", "logistic", "--lam", "0.1", "--alpha", "2.4")[0] == pytest.approx(
        0.267492, abs=5e-7
    )


@pytest.mark.parametrize(
    ("name", "learner"),
    [
        ("svm", ge.SVM(0.2)),
        ("huber:0.7", ge.Huber(0.2, 0.7)),
        ("lasso", ge.Lasso(0.2)),
        ("elastic_net:0.3", ge.ElasticNetRegression(0.2, 0.3)),
        ("squared-hinge", ge.ERM("squared_hinge", 0.2)),
        ("quantile:0.6", ge.ERM("quantile:0.6", 0.2)),
    ],
)
def test_names_are_those_of_python(name, learner):
    task = "classification" if learner.loss.kind == "margin" else "regression"
    target = ge.DeepNetwork("tanh", 2, weight_variance=4, task=task)
    expected = ge.solve(ge.Problem(target, learner=learner), [1.0, 3.0]).test_error
    np.testing.assert_allclose(errors("--task", task, "--learner", name, "--lam", "0.2", "--alpha", "1,3"), expected, rtol=1e-12)


def test_label_laws_and_weights():
    found = errors(
        "--labels",
        "logit:0.5",
        "--flips",
        "0.1,0.2",
        "--learner",
        "logistic",
        "--lam",
        "0.3",
        "--class-weight",
        "1,2",
        "--intercept",
        "--alpha",
        "1",
    )
    target = ge.DeepNetwork("tanh", 2, weight_variance=4, labels="logit:0.5", flips=(0.1, 0.2))
    learner = ge.Logistic(0.3, intercept=True, class_weight={-1: 1, 1: 2})
    assert found == ge.solve(ge.Problem(target, learner=learner), [1.0]).test_error.values.tolist()


def test_features_and_kernels():
    flags = ["--feature-activation", "tanh", "--feature-weight-variance", "4", "--learner", "ridge", "--lam", "0.1", "--alpha", "1"]
    assert errors("--features", "random", "--feature-ratio", "3", *flags)[0] == pytest.approx(0.40478033, abs=5e-9)
    kernel = ge.Problem(ge.DeepNetwork("tanh", 2, weight_variance=4), features=ge.NNGP("tanh", weight_variance=4), learner=ge.Ridge(0.1))
    assert errors("--features", "nngp", *flags) == ge.solve(kernel, [1.0]).test_error.values.tolist()


def test_sensitivity_appears_in_the_object():
    result = run("theory", *DEEP, "--learner", "ridge", "--lam", "0.1", "--alpha", "1", "--sensitivity", "lam,noise", "--json")
    found = json.loads(result.stdout)
    assert {"d_test_error_d_lam", "d_test_error_d_noise"} <= set(found)


def test_minimise_changes_the_penalty():
    flags = ["theory", *DEEP, "--task", "classification", "--learner", "logistic", "--alpha", "2", "--json"]
    plain, other = json.loads(run(*flags).stdout), json.loads(run(*flags, "--minimise", "log_loss").stdout)
    assert other["log_loss"][0] < plain["log_loss"][0]
    assert other["test_error"][0] > plain["test_error"][0]


def test_a_file_carries_all_of_it(tmp_path):
    path = tmp_path / "problem.toml"
    path.write_text(
        '[target]\nactivations = "tanh"\ndepth = 2\nweight_variance = 4.0\nlabels = "logit"\n'
        '[features]\nname = "random"\nactivations = "erf"\nratio = 2.0\n'
        '[[learner]]\nname = "erm"\nloss = "hinge"\nlam = 0.5\n[[learner]]\nname = "bayes"\n'
    )
    result = run("theory", "--problem", str(path), "--alpha", "1", "--json")
    assert result.exit_code == 0, result.stderr
    target = ge.DeepNetwork("tanh", 2, weight_variance=4, labels="logit")
    problem = ge.Problem(target, features=ge.RandomFeatures("erf", ratio=2.0), learner=[ge.SVM(0.5), ge.BayesOptimal()])
    np.testing.assert_allclose(json.loads(result.stdout)["test_error"], ge.solve(problem, [1.0]).test_error, rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--learner", "logistik"], "Did you mean 'logistic'"),
        (["--learner", "logistic"], "margin"),
        (["--learner", "bayes", "--penalty", "l1"], "penalty"),
        (["--learner", "huber", "--class-weight", "1"], "class_weight"),
        (["--labels", "logits"], "Did you mean 'logit'"),
        (["--flips", "0.7", "--task", "classification"], "flips"),
        (["--feature-ratio", "2"], "features"),
        (["--features", "random", "--feature-ratio", "-1", "--learner", "ridge"], "ratio"),
        (["--learner", "ridge", "--lam", "0.1", "--sensitivity", "lamb"], "Did you mean 'lam'"),
    ],
)
def test_wrong_options_are_named(arguments, words):
    result = run("theory", *DEEP, *arguments, "--alpha", "1")
    assert result.exit_code == 2
    assert words in result.stderr
