"""The command line. Importing this module loads neither NumPy nor the engines: commands import what they need."""

from __future__ import annotations

import functools
import inspect
import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import xarray as xr

    from gaussequiv.problems.supervised.description import Problem

app = typer.Typer(
    name="gaussequiv",
    help="Exact learning curves of deep random networks, simulations of the real thing, and whether the two agree.",
    epilog="Exit codes: 0 ok, 1 failure, 2 usage, 3 unconverged points under --strict, 130 interrupted (finished trials are kept).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

FAILURE, USAGE, UNCONVERGED, INTERRUPTED = 1, 2, 3, 130
ENDINGS = (".nc", ".json", ".csv", ".png", ".svg", ".pdf")
PROBLEM, CALL, OUT = "Problem", "Points and sizes", "Output"
INFERENCE = "Optimal inference"


def _option(kind: Any, *names: str, help: str, panel: str) -> Any:
    return Annotated[kind, typer.Option(*names, help=help.replace("[", "\\["), rich_help_panel=panel, show_default=False)]


def _text(name: str, help: str, panel: str = PROBLEM) -> Any:
    return _option(str | None, name, help=help, panel=panel)


# The options that describe a problem: they mirror the fields of DeepNetwork, GaussianInputs, DataInputs and the learners.
PROBLEM_OPTIONS: dict[str, Any] = {
    "problem": _text("--problem", "TOML or JSON file with sections target, inputs, learner ('-' reads stdin); options override it."),
    "activation": _text("--activation", "Activation, or a comma list with one for each hidden layer, lowest first. [tanh]"),
    "depth": _option(int | None, "--depth", help="Hidden layers, when one activation is given; 0 is a linear target. [1]", panel=PROBLEM),
    "weight_variance": _text("--weight-variance", "Weight variance of the hidden layers, one or a comma list. [1]"),
    "bias_variance": _text("--bias-variance", "Bias variance of the hidden layers, one or a comma list. [0]"),
    "readout_variance": _text("--readout-variance", "Variance of the readout weights. [1]"),
    "readout_bias_variance": _text("--readout-bias-variance", "Variance of the readout bias. [0]"),
    "task": _text("--task", "regression or classification (labels are the sign). [regression]"),
    "noise": _text("--noise", "Variance of the label noise. [0]"),
    "labels": _text(
        "--labels", "Labels: sign, logit[:SCALE], random[:PROBABILITY] (binary); abs, relu, quantised:T1/T2/.., poisson[:SCALE] (real)."
    ),
    "prior": _text(
        "--prior", "Law of a linear target's weights: rademacher, gauss-bernoulli:DENSITY, sparse-rademacher:DENSITY, gaussian."
    ),
    "flips": _text("--flips", "Probability that a binary label is flipped; two for +1 and -1 labels. [0]"),
    "offset": _text("--offset", "Given constant part of the target; by default curves average over its law."),
    "widths": _text("--widths", "Widths of the hidden layers in simulations, one or a comma list."),
    "width_ratios": _text("--width-ratios", "Widths over d where --widths is not given. [1.4]"),
    "spectrum": _text(
        "--spectrum", "identity, power-law:EXPONENT, two-level:HIGH:LOW:FRACTION, marchenko-pastur:RATIO, or eigenvalues V1,V2,..."
    ),
    "mean": _text("--mean", "Mean of every input coordinate. [0]"),
    "covariance": _text("--covariance", "File with the input covariance matrix (.npy, .csv)."),
    "data": _text("--data", "File with a data matrix, one sample in each row (.npy, .csv), or 'digits': inputs are its rows."),
    "normalise": _option(bool | None, "--normalise/--no-normalise", help="Scale the data to mean variance 1.", panel=PROBLEM),
    "features": _text("--features", "What the students see: random (features), nngp or ntk (kernels). [the inputs]"),
    "feature_activation": _text("--feature-activation", "Activation of the features, or a comma list. [erf]"),
    "feature_depth": _option(int | None, "--feature-depth", help="Hidden layers of the features. [1]", panel=PROBLEM),
    "feature_ratio": _text("--feature-ratio", "Widths over d of random features, one or a comma list. [1]"),
    "feature_weight_variance": _text("--feature-weight-variance", "Weight variance of the features' layers. [1]"),
    "feature_bias_variance": _text("--feature-bias-variance", "Bias variance of the features' layers. [0]"),
    "learner": _text(
        "--learner",
        "bayes, ridge, logistic, svm, lasso, elastic_net[:RATIO], or a loss (square, hinge, squared_hinge, huber[:THRESHOLD], absolute, "
        "quantile[:LEVEL], exponential); a comma list trains all on the same draws. Logistic, svm, hinges and exponential need "
        "--task classification. [bayes]",
    ),
    "lam": _text("--lam", "Penalty: a number, 'optimal', or a comma list of them. [optimal]"),
    "penalty": _text("--penalty", "l2, l1 or elastic_net:RATIO, for learners other than bayes and ridge. [l2]"),
    "class_weight": _text("--class-weight", "Weights of the losses of -1 and +1 labels, as A,B."),
    "minimise": _text(
        "--minimise",
        "What lam=optimal minimises (auc: maximises): test_error, test_loss, auc, log_loss, brier, calibration_error. [test_error]",
    ),
    "intercept": _option(bool | None, "--intercept/--no-intercept", help="Fit a constant. [when the target has one]", panel=PROBLEM),
}
LEARNER_OPTIONS = ("learner", "lam", "penalty", "class_weight", "minimise", "intercept")
STUDENT_OPTIONS = (*LEARNER_OPTIONS, *(name for name in PROBLEM_OPTIONS if name.startswith("feature")))
Alpha = Annotated[
    str | None,
    typer.Option("--alpha", help="Samples per input dimension n/d: start:stop:count[:log] or a comma list.", rich_help_panel=CALL),
]
Count = Annotated[str | None, typer.Option("--n", help="Numbers of samples, with --d, in place of --alpha.", rich_help_panel=CALL)]
Dimension = Annotated[int | None, typer.Option("--d", help="Input dimension; data and covariance matrices fix it.", rich_help_panel=CALL)]
Trials = Annotated[int, typer.Option("--trials", help="Networks (teachers).", rich_help_panel=CALL, show_default=True)]
Seed = Annotated[int, typer.Option("--seed", help="Integer seed.", rich_help_panel=CALL, show_default=True)]
TestSamples = Annotated[int | None, typer.Option("--test-samples", help="Test rows of each trial.", rich_help_panel=CALL)]
Normalise = Annotated[
    bool, typer.Option("--normalise-teacher", help="Rescale readouts to their expected norm (less variance).", rich_help_panel=CALL)
]
Sensitivity = Annotated[
    str | None,
    typer.Option(
        "--sensitivity",
        help="Also differentiate the curve in: lam, alpha, noise, effective_noise, signal, or a number of the loss (comma list).",
        rich_help_panel=CALL,
    ),
]
Over = Annotated[
    list[str] | None,
    typer.Option("--over", help="Sweep a field: NAME=GRID, e.g. lam=0.01:10:5:log or depth=1,2,3; repeatable.", rich_help_panel=CALL),
]
Target = Annotated[
    float | None, typer.Option("--target-error", help="Ask for the alpha that reaches this test error.", rich_help_panel=CALL)
]
Allowance = Annotated[
    float | None, typer.Option("--allowance", help="Finite-size constant c: c/d of the value is allowed.", rich_help_panel=CALL)
]
Keep = Annotated[int | None, typer.Option("--keep", help="Also reduce partially, with this many hidden layers left.", rich_help_panel=CALL)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.", rich_help_panel=OUT)]
Output = Annotated[str | None, typer.Option("--output", help="Also write FILE: .nc, .json, .csv, .png, .svg or .pdf.", rich_help_panel=OUT)]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 3 if a point did not converge.", rich_help_panel=OUT)]


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def command(name: str, panel: str | None = None, unused: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command; a parameter named `options` is replaced by the problem options; named errors become exit codes.

    Problem options that the command has no use for, `unused`, are refused, so that nothing given is ignored; --learner bayes may be said.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def wrapped(**arguments: Any) -> None:
            if takes_problem:
                arguments["options"] = {key: arguments.pop(key) for key in PROBLEM_OPTIONS}
            _guarded(function, arguments, name, unused)

        parameters = list(inspect.signature(function, eval_str=True).parameters.values())
        takes_problem = any(parameter.name == "options" for parameter in parameters)
        shown = []
        for parameter in parameters:
            if parameter.name == "options":
                kind = inspect.Parameter.KEYWORD_ONLY
                shown += [inspect.Parameter(key, kind, default=None, annotation=option) for key, option in PROBLEM_OPTIONS.items()]
            else:
                shown.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
        wrapped.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
        app.command(name, rich_help_panel=panel)(wrapped)
        return function

    return register


def _refuse_unused(name: str, options: dict[str, Any], unused: tuple[str, ...]) -> None:
    from gaussequiv.errors import fail

    for option in unused:
        value = options[option]
        if value is not None and not (option == "learner" and value.strip().lower() == "bayes"):
            raise fail(option, f"left out of `gaussequiv {name}`, which makes no use of it", value)


def _guarded(function: Callable[..., None], arguments: dict[str, Any], name: str, unused: tuple[str, ...]) -> None:
    from gaussequiv.errors import ArgumentError, GaussequivError

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            if arguments.get("output"):
                _check_output(arguments["output"])
            _refuse_unused(name, arguments.get("options", {}), unused)
            function(**arguments)
        except ArgumentError as error:
            _say(f"error: {error}")
            raise typer.Exit(USAGE) from None
        except BrokenPipeError:  # the reader of a pipe (head) has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (GaussequivError, OSError) as error:
            _say(f"error: {error}")
            raise typer.Exit(FAILURE) from None
        except MemoryError as error:
            _say(f"error: the memory is too small for this call: {error or 'smaller sizes need less'}")
            raise typer.Exit(USAGE) from None
        except KeyboardInterrupt as stop:
            _keep_partial(getattr(stop, "partial", None), arguments.get("output"))
            raise typer.Exit(INTERRUPTED) from None
        finally:
            for text in dict.fromkeys(str(warning.message) for warning in caught):
                _say(f"warning: {text}")


def _check_output(output: str) -> None:
    """Before any work: a result must have somewhere to go."""
    from gaussequiv.errors import fail

    path = Path(output)
    if path.suffix.lower() not in ENDINGS:
        raise fail("output", f"a file name ending in {', '.join(ENDINGS)}", output)
    if not path.parent.is_dir():
        raise fail("output", "in an existing folder", output)


def _build(options: dict[str, Any]) -> Problem:
    from gaussequiv.cli.inputs import build_problem

    return build_problem(options)


def _deliver(result: xr.Dataset, as_json: bool, output: str | None, strict: bool = False) -> None:
    """Print, write, and choose the exit code."""
    from gaussequiv.cli.outputs import table, write
    from gaussequiv.results import to_json

    if as_json:
        print(json.dumps(to_json(result)))
    else:
        table(result)
    if output:
        _say(f"wrote {write(result, output)}")
    if strict and not bool(result["converged"].all()):
        raise typer.Exit(UNCONVERGED)


def _keep_partial(partial: xr.Dataset | None, output: str | None) -> None:
    """Write what an interrupted verb had finished: to --output, or to a new file where none, or a figure, was asked for."""
    if partial is None:
        _say("interrupted")
        return
    from gaussequiv.results import save

    target = Path(output) if output else Path("gaussequiv-partial.nc")
    if target.suffix.lower() not in (".nc", ".json", ".csv") or not output:
        target = _unused(target.with_suffix(".nc"))
    done = f" after {partial.sizes['trial']} trials" if "trial" in partial.sizes else ""
    try:
        _say(f"interrupted{done}; wrote {save(partial, target)}")
    except OSError as error:
        _say(f"interrupted{done}; error: what was finished could not be written to {target}: {error}")


def _unused(path: Path) -> Path:
    """The path, or the next one with a number: an earlier part is not overwritten."""
    names = (path if count == 1 else path.with_stem(f"{path.stem}-{count}") for count in range(1, sys.maxsize))
    return next(one for one in names if not one.exists())


@command("equivalent", unused=LEARNER_OPTIONS[1:])
def equivalent(options: Any, d: Dimension = None, keep: Keep = None, as_json: Json = False, output: Output = None) -> None:
    """The Gaussian equivalent of a deep network: signal, noise, offset, lambda*, validity."""
    from gaussequiv.cli.outputs import equivalent_to_dict, write_layers

    result = _build(options).equivalent(d)
    partial = None if keep is None else result.partial(keep)
    if output:
        _say(f"wrote {write_layers(result, output)}")
    if as_json:
        print(json.dumps(equivalent_to_dict(result, partial)))
        return
    print(result.card())
    if partial is not None:
        words = f"{partial.kept} layer" + "s" * (partial.kept != 1)
        print(f"  {words} kept: S = {partial.eta:.10g} a.h/sqrt(k) + noise of variance {partial.gamma:.10g}")


@command("theory")
def theory(
    options: Any,
    alpha: Alpha = None,
    n: Count = None,
    d: Dimension = None,
    over: Over = None,
    target_error: Target = None,
    sensitivity: Sensitivity = None,
    as_json: Json = False,
    output: Output = None,
    strict: Strict = False,
) -> None:
    """Exact learning curves, or with --target-error how many samples reach an error."""
    from gaussequiv.cli.inputs import parse_grid, parse_over, refuse_together, required
    from gaussequiv.run.solve import samples_for, solve
    from gaussequiv.run.sweep import sweep

    problem = _build(options)
    refuse_together({"target_error": target_error}, {"alpha": alpha, "n": n, "over": over, "output": output, "sensitivity": sensitivity})
    names = tuple(sensitivity.split(",")) if sensitivity else ()
    refuse_together({"over": over}, {"n": n})
    if target_error is not None:
        size = samples_for(problem, target_error, d=d)
        print(json.dumps(size._asdict()) if as_json else f"alpha = {size.alpha:.10g}" + ("" if size.n is None else f", n = {size.n}"))
    elif over:
        _deliver(
            sweep(problem, parse_grid("alpha", required("alpha", alpha)), parse_over(over), d=d, sensitivity=names), as_json, output, strict
        )
    elif n is not None and alpha is None:
        _deliver(solve(problem, n=parse_grid("n", n), d=d, sensitivity=names), as_json, output, strict)
    else:
        points = parse_grid("alpha", required("alpha", alpha))
        _deliver(solve(problem, points, n=None if n is None else parse_grid("n", n), d=d, sensitivity=names), as_json, output, strict)


@command("simulate")
def simulate(
    options: Any,
    alpha: Alpha = None,
    d: Dimension = None,
    trials: Trials = 16,
    seed: Seed = 0,
    test_samples: TestSamples = None,
    normalise_teacher: Normalise = False,
    over: Over = None,
    as_json: Json = False,
    output: Output = None,
    strict: Strict = False,
) -> None:
    """Train on labels of true networks at finite size and measure on fresh data."""
    call = {"d": d, "trials": trials, "seed": seed, "test_samples": test_samples, "normalise_teacher": normalise_teacher}
    _run("simulate", options, alpha, over, call, as_json, output, strict)


@command("compare")
def compare(
    options: Any,
    alpha: Alpha = None,
    d: Dimension = None,
    trials: Trials = 16,
    seed: Seed = 0,
    test_samples: TestSamples = None,
    normalise_teacher: Normalise = False,
    allowance: Allowance = None,
    over: Over = None,
    as_json: Json = False,
    output: Output = None,
    strict: Strict = False,
) -> None:
    """Theory beside simulation, z-scores, and the verdict: agree, disagree or inconclusive."""
    call = {"d": d, "trials": trials, "seed": seed, "test_samples": test_samples, "normalise_teacher": normalise_teacher}
    _run("compare", options, alpha, over, call | {"allowance": allowance}, as_json, output, strict)


def _run(
    verb: str,
    options: Any,
    alpha: str | None,
    over: list[str] | None,
    call: dict[str, Any],
    as_json: bool,
    output: str | None,
    strict: bool,
) -> None:
    from gaussequiv.cli.inputs import parse_grid, parse_over, required
    from gaussequiv.run.sweep import VERBS, sweep

    problem = _build(options)
    grid = parse_grid("alpha", required("alpha", alpha))
    if over:
        values = parse_over(over)
        result = sweep(problem, grid, values, verb=verb, **call)
    else:
        result = VERBS[verb](problem, grid, **call)
    _deliver(result, as_json, output, strict)


@command("predict-curve")
def predict_curve(
    data: Annotated[str, typer.Argument(help="Table: .csv, .npz or .parquet.", show_default=False)],
    target: Annotated[str, typer.Option("--target", help="Column, or array of an NPZ file, to predict.", show_default=False)],
    train_sizes: Annotated[
        str,
        typer.Option(
            "--train-sizes",
            help="Rows, or fractions of them: start:stop:count[:log] or a comma list; up to 1.5 times the table's.",
            show_default=False,
        ),
    ],
    estimator: Annotated[
        str, typer.Option("--estimator", help="ridge (real target), or for labels ridge-classifier, logistic, linear-svc.")
    ] = "logistic",
    lam: Annotated[float, typer.Option("--lam", help="alpha of the ridge estimators, 1/C of the others.")] = 1.0,
    features: Annotated[str | None, typer.Option("--features", help="Random features of standardised columns: ACTIVATION:WIDTH.")] = None,
    standardise: Annotated[bool, typer.Option("--standardise", help="Centre and scale the columns first.")] = False,
    method: Annotated[str, typer.Option("--method", help="rows (most accurate), moments (ridge, fastest) or gaussian.")] = "rows",
    groups: Annotated[int, typer.Option("--groups", help="Groups of rows left out in turn for standard errors; 0: none.")] = 10,
    validate: Annotated[bool, typer.Option("--validate", help="Also refit at up to six sizes, and draw both.")] = False,
    repeats: Annotated[int, typer.Option("--repeats", help="Refits at each size.")] = 20,
    seed: Seed = 0,
    as_json: Json = False,
    output: Output = None,
) -> None:
    """Predict the learning curve of a linear estimator on a table, without refitting."""
    from gaussequiv.cli import predict

    options: dict[str, Any] = {"features": features, "standardise": standardise, "method": method, "groups": groups}
    options |= {"validate": validate, "repeats": repeats, "seed": seed}
    predict.deliver(predict.predict_curve(data, target, estimator, lam, train_sizes, **options), as_json, output)


@command("plot")
def plot(
    file: Annotated[Path, typer.Argument(help="A saved result (.nc, .json, .csv).", show_default=False)],
    output: Annotated[str, typer.Option(help="Figure to write: .png, .svg or .pdf.", show_default=False)],
    kind: Annotated[str, typer.Option(help="curve or residuals.")] = "curve",
    observable: Annotated[str, typer.Option(help="Variable to draw.")] = "test_error",
    log: Annotated[bool, typer.Option("--log", help="Logarithmic alpha axis.")] = False,
) -> None:
    """Draw a saved result."""
    from gaussequiv.cli.outputs import draw
    from gaussequiv.results import load

    _say(f"wrote {draw(load(file), output, kind, observable, log)}")


@command("list")
def list_names(
    kind: Annotated[str | None, typer.Argument(help="One kind of names, e.g. papers; all if not given.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Names that the options understand, and papers that can be reproduced."""
    from gaussequiv.cli.outputs import known_names
    from gaussequiv.cli.reproduce import names

    names(known_names(), kind, as_json)


@command("reproduce")
def reproduce(
    key: Annotated[str, typer.Argument(help="A paper: 'gaussequiv list papers'.", show_default=False)],
    figure: Annotated[str | None, typer.Option("--figure", help="Only this figure.", show_default=False)] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Fewer points and trials, smaller dimensions: seconds to minutes.")] = False,
    folder: Annotated[
        str, typer.Option("--output", metavar="DIR", help="Folder for NetCDF files, figures and the report (Markdown).")
    ] = ".",
    seed: Seed = 0,
    hours: Annotated[
        float | None,
        typer.Option("--hours", help="Time limit of figures that can be continued (camilli2025); 0 to draw what the folder holds."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the figures of a paper again and compare with its numbers; exit code 1 if one does not agree.

    Prints one sentence for each figure. All numbers stand in the report KEY.md (KEY-FIGURE.md with --figure), next to the figures.
    """
    from gaussequiv.cli.reproduce import run

    run(key, figure, fast, folder, seed, hours, as_json)


@command("cite")
def cite(keys: Annotated[list[str] | None, typer.Argument(help="Keys, or saved results; none: all.", show_default=False)] = None) -> None:
    """BibTeX entries of the papers behind the numbers."""
    from gaussequiv.cli.outputs import bibliography

    print(bibliography(keys or []))


@command("doctor")
def doctor(as_json: Json = False) -> None:
    """Check this installation: versions, float64, one exact number, one small simulation."""
    from gaussequiv.cli.outputs import diagnose

    report = diagnose()
    print(json.dumps(report) if as_json else "\n".join(f"{name:<14} {value}" for name, value in report.items()))
    if not report["ok"]:
        raise typer.Exit(FAILURE)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        from gaussequiv import __version__

        print(__version__)
        raise typer.Exit()


def main() -> None:
    """Entry point."""
    app()


from gaussequiv.cli import inference as _inference  # noqa: E402, F401
from gaussequiv.cli import information as _information  # noqa: E402, F401 (registers commands of its own)
from gaussequiv.cli import phases as _phases  # noqa: E402, F401
