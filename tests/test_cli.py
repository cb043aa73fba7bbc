"""The command line as a user meets it: outputs, grids, files, exit codes, no traceback."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

import gaussequiv as ge
from gaussequiv.cli import app
from gaussequiv.errors import ArgumentError

CURVE = ["theory", "--activation", "tanh", "--weight-variance", "4", "--depth", "2", "--noise", "0"]


def run(*arguments, stdin=None):
    return CliRunner().invoke(app, list(arguments), input=stdin)


def object_of(*arguments, stdin=None):
    result = run(*arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_json_of_the_bayes_curve_holds_the_published_numbers():
    out = object_of(*CURVE, "--learner", "bayes", "--alpha", "0.25,0.5,1,2,3,5,7")
    published = [0.49108783, 0.42965711, 0.33741191, 0.24752256, 0.21300805, 0.18672762, 0.17622122]
    np.testing.assert_allclose(out["test_error"], published, atol=5e-9)
    assert out["alpha"] == [0.25, 0.5, 1, 2, 3, 5, 7]
    assert out["converged"] == [True] * 7
    assert out["attrs"]["problem"]["target"]["weight_variance"] == [4.0, 4.0]


def test_grid_forms_agree_with_numpy():
    np.testing.assert_allclose(object_of(*CURVE, "--alpha", "0.1:7:20")["alpha"], np.linspace(0.1, 7, 20))
    np.testing.assert_allclose(object_of(*CURVE, "--alpha", "0.1:7:5:log")["alpha"], np.geomspace(0.1, 7, 5))
    out = object_of(*CURVE, "--n", "100,200", "--d", "100")
    assert out["alpha"] == [1.0, 2.0] and out["n"] == [100.0, 200.0]


def test_classification_and_ridge_flags():
    out = object_of(*CURVE, "--task", "classification", "--alpha", "1,2")
    np.testing.assert_allclose(out["test_error"], [0.329288, 0.279518], atol=5e-7)
    out = object_of(*CURVE, "--learner", "ridge", "--lam", "optimal", "--alpha", "2")
    np.testing.assert_allclose(out["lam"], [0.37278944844792183], rtol=1e-12)
    several = object_of(*CURVE, "--learner", "bayes,ridge", "--lam", "optimal,0.1", "--alpha", "1,2")
    assert np.shape(several["test_error"]) == (3, 2)


def test_per_layer_lists_spectrum_and_sweep():
    out = object_of("theory", "--activation", "tanh,relu", "--bias-variance", "0.1,0.2", "--spectrum", "power-law:0.5", "--alpha", "1")
    assert out["attrs"]["problem"]["target"]["bias_variance"] == [0.1, 0.2]
    swept = object_of(*CURVE, "--learner", "ridge", "--lam", "1", "--alpha", "1,2", "--over", "lam=0.01:10:5:log", "--over", "noise=0,0.1")
    assert np.shape(swept["test_error"]) == (5, 2, 2)
    mixed = object_of(*CURVE, "--learner", "ridge", "--alpha", "1", "--over", "lam=optimal,0.1", "--over", "intercept=true,false")
    assert np.shape(mixed["test_error"]) == (2, 2, 1)
    depths = object_of("theory", "--activation", "tanh", "--alpha", "1", "--over", "depth=0,1,3")
    assert np.shape(depths["test_error"]) == (3, 1)


@pytest.mark.parametrize("text", ['{"target": {"activations": "erf", "noise": 0.1}}', '[target]\nactivations = "erf"\nnoise = 0.1\n'])
def test_problem_from_stdin_equals_flags(text):
    given = object_of("theory", "--problem", "-", "--alpha", "1", stdin=text)
    flags = object_of("theory", "--activation", "erf", "--noise", "0.1", "--alpha", "1")
    assert given["test_error"] == flags["test_error"]
    override = object_of("theory", "--problem", "-", "--noise", "0.3", "--alpha", "1", stdin=text)
    assert override["test_error"][0] > given["test_error"][0]


def test_equivalent_prints_the_card_and_the_partial_reduction():
    result = run("equivalent", "--activation", "tanh", "--weight-variance", "4", "--depth", "2", "--keep", "1")
    assert result.exit_code == 0
    assert "0.3727894484" in result.stdout and "1 layer kept" in result.stdout
    out = object_of("equivalent", "--activation", "abs", "--depth", "2")
    assert out["lam_optimal"] is None and out["signal_variance"] == 0


@pytest.mark.parametrize("ending", ["nc", "json", "csv"])
def test_simulate_compare_and_plot_files(tmp_path, ending):
    saved = tmp_path / f"run.{ending}"
    out = object_of("compare", "--activation", "erf", "--alpha", "1,2", "--d", "20", "--trials", "3", "--output", str(saved))
    assert out["attrs"]["verdict"] == "inconclusive" and len(out["z"]) == 2
    for kind in ("curve", "residuals"):
        figure = tmp_path / f"{kind}.png"
        assert run("plot", str(saved), "--output", str(figure), "--kind", kind).exit_code == 0
        assert figure.stat().st_size > 5000
    simulated = object_of("simulate", "--activation", "erf", "--alpha", "1,2", "--d", "20", "--trials", "3")
    assert np.shape(simulated["test_error"]) == (2, 3)
    assert run("cite", str(saved)).stdout.count("@") == 3


def test_table_and_samples_for():
    result = run(*CURVE, "--alpha", "2")
    assert result.exit_code == 0 and "0.247523" in result.stdout
    out = object_of(*CURVE, "--target-error", "0.24752256", "--d", "500")
    assert abs(out["alpha"] - 2) < 1e-6 and out["n"] in (1000, 1001)
    unreachable = run(*CURVE, "--target-error", "0.1")
    assert unreachable.exit_code == 1 and "0.152506" in unreachable.stderr


def test_strict_turns_an_unconverged_point_into_exit_code_3():
    arguments = ("theory", "--depth", "0", "--noise", "0.1", "--learner", "ridge", "--lam", "0", "--alpha", "0.5,1", "--json")
    loose, strict = run(*arguments), run(*arguments, "--strict")
    assert (loose.exit_code, strict.exit_code) == (0, 3)
    assert json.loads(strict.stdout)["test_error"][1] is None
    assert "1 of 2 points did not converge (diverged)" in strict.stderr


def test_data_matrix_from_a_file(tmp_path):
    matrix = np.random.default_rng(0).standard_normal((200, 10))
    np.save(tmp_path / "x.npy", matrix)
    np.savetxt(tmp_path / "x.csv", matrix, delimiter=",", header=",".join(f"c{i}" for i in range(10)), comments="")
    results = [object_of("theory", "--data", str(tmp_path / f"x.{kind}"), "--alpha", "1")["test_error"] for kind in ("npy", "csv")]
    np.testing.assert_allclose(*results, rtol=1e-12)


def test_interruption_keeps_finished_trials(tmp_path, monkeypatch):
    calls = []
    original = ge.BayesOptimal.fit

    def fit(self, sample, equivalent, key=None):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(self, sample, equivalent, key)

    monkeypatch.setattr(ge.BayesOptimal, "fit", fit)
    saved = tmp_path / "partial.nc"
    result = run("simulate", "--alpha", "1", "--d", "20", "--trials", "5", "--output", str(saved))
    assert result.exit_code == 130
    assert ge.load(saved).sizes["trial"] == 2


INVALID = [
    (["theory", "--activation", "tnah", "--alpha", "1"], "Did you mean 'tanh'?"),
    (["theory", "--alpha", "-0.1"], "Argument `alpha` must be positive, but alpha=-0.1."),
    (["theory", "--alpha", "1:2"], "start:stop:count[:log]"),
    (["theory", "--alpha", "0:2:3:log"], "alpha"),
    (["theory", "--alpha", "__import__('os')"], "alpha"),
    (["theory"], "alpha"),
    (["theory", "--alpha", "1", "--noise", "-1"], "noise"),
    (["theory", "--alpha", "1", "--noise", "nan"], "noise"),
    (["theory", "--alpha", "1", "--weight-variance", "1,2", "--depth", "3"], "weight_variance"),
    (["theory", "--alpha", "1", "--learner", "rigde"], "Did you mean 'ridge'?"),
    (["theory", "--alpha", "1", "--lam", "1"], "learner"),
    (["theory", "--alpha", "1", "--learner", "ridge", "--lam", "-1"], "lam"),
    (["theory", "--alpha", "1", "--spectrum", "powerlaw:2"], "spectrum"),
    (["theory", "--alpha", "1", "--spectrum", "power-law:1.5"], "exponent"),
    (["theory", "--alpha", "1", "--task", "clasification"], "Did you mean 'classification'?"),
    (["theory", "--alpha", "1", "--over", "lma=1,2"], "over"),
    (["theory", "--alpha", "1", "--n", "5"], "alpha"),
    (["theory", "--alpha", "1", "--problem", "no-such-file.toml"], "problem"),
    (["theory", "--alpha", "1", "--data", "no-such-file.npy"], "data"),
    (["simulate", "--alpha", "1"], "d"),
    (["simulate", "--alpha", "1", "--d", "10", "--trials", "0"], "trials"),
    (["simulate", "--alpha", "1", "--d", "10", "--seed", "-1"], "seed"),
    (["simulate", "--alpha", "1,1.001", "--d", "10"], "alpha"),
    (["equivalent", "--depth", "2", "--keep", "5"], "keep"),
    (["simulate", "--alpha", "1", "--d", "10", "--output", "run.xyz"], "output"),
    (["theory", "--alpha", "1", "--output", "no/such/folder/run.nc"], "output"),
    (["theory", "--target-error", "0.3", "--alpha", "1"], "alpha"),
    (["theory", "--alpha", "1", "--n", "5", "--over", "depth=1,2"], "n"),
    (["theory", "--alpha", "1", "--learner", "bayes", "--intercept"], "intercept"),
    (["theory", "--alpha", "1", "--covariance", "c.npy", "--spectrum", "identity"], "covariance"),
    (["plot", "missing.nc", "--output", "x.png"], "path"),
    (["cite", "cui2032"], "Did you mean 'cui2023'?"),
]


@pytest.mark.parametrize(("arguments", "words"), INVALID)
def test_bad_input_names_the_argument_and_exits_with_2(arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2, (result.stdout, result.stderr)
    assert words in result.stderr and "Traceback" not in result.stderr
    assert result.stdout == ""


def test_200_random_bad_descriptions_exit_with_2():
    rng = np.random.default_rng(5)
    bad = ["-1", "nan", "inf", "", "abc", "1;2", "1,,2", "1e999", "--", "0x", "1:2:3:4", "é", "1:2:-3", "[1]"]
    numeric = [
        "noise",
        "weight-variance",
        "bias-variance",
        "readout-variance",
        "width-ratios",
        "mean",
        "alpha",
        "task",
        "activation",
        "spectrum",
    ]
    count = 0
    while count < 200:
        name, value = numeric[rng.integers(len(numeric))], bad[rng.integers(len(bad))]
        if name == "mean" and value == "-1":
            continue
        points = [] if name == "alpha" else ["--alpha=1"]
        result = run("theory", f"--{name}={value}", *points)
        assert result.exit_code == 2, (name, value, result.stdout, result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        count += 1


def test_description_with_unknown_sections_or_fields_is_refused():
    for text in (
        '{"taregt": {}}',
        '{"target": {"activation": "erf"}}',
        '{"learner": {"name": "ridge", "lambda": 1}}',
        "not = = toml",
        "[1]",
    ):
        result = run("theory", "--problem", "-", "--alpha", "1", stdin=text)
        assert result.exit_code == 2 and "Traceback" not in result.stderr


def test_list_and_doctor():
    assert "leaky_relu" in run("list").stdout
    report = object_of("doctor")
    assert report["ok"] and report["exact number"] == "ok"


def test_help_and_version_answer_without_the_engines():
    code = "import sys, gaussequiv.cli; sys.exit(any(m in sys.modules for m in ('jax', 'numpy', 'scipy', 'xarray', 'matplotlib')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    for module in ("gaussequiv", "gaussequiv.cli"):
        start = time.perf_counter()
        out = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)
        assert out.stdout.strip() == ge.__version__
        assert time.perf_counter() - start < 5  # well under a second on a quiet machine


def test_argument_errors_are_value_errors():
    with pytest.raises(ValueError, match="alpha"):
        ge.solve(ge.Problem(), alpha=0.0)
    assert issubclass(ArgumentError, ValueError)
