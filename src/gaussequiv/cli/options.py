"""The options that commands share, and the problem that they describe."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

if TYPE_CHECKING:
    from gaussequiv.problems.base import Solvable
    from gaussequiv.problems.supervised.description import Problem

PROBLEM, CALL, OUT = "Problem", "Points and sizes", "Output"
INFERENCE = "Optimal inference"


def _option(kind: Any, *names: str, help: str, panel: str) -> Any:
    return Annotated[kind, typer.Option(*names, help=help.replace("[", "\\["), rich_help_panel=panel, show_default=False)]


def _text(name: str, help: str, panel: str = PROBLEM) -> Any:
    return _option(str | None, name, help=help, panel=panel)


def hidden(option: Any) -> Any:
    """The same option, left out of the help."""
    kind, information = get_args(option)
    unseen = copy(information)
    unseen.hidden = True
    return Annotated[kind, unseen]


# The options that describe a problem: they mirror the fields of DeepNetwork, GaussianInputs, DataInputs and the learners.
PROBLEM_OPTIONS: dict[str, Any] = {
    "problem": _text(
        "--problem",
        "TOML or JSON file with sections target, inputs, learner ('-' reads stdin); options override it. Or one with a kind "
        "(spiked_wigner, online_sgd) and its fields, for theory, simulate and compare.",
    ),
    "activation": _text("--activation", "Activation, or a comma list with one for each hidden layer, lowest first. [default: tanh]"),
    "depth": _option(
        int | None, "--depth", help="Hidden layers, when one activation is given; 0 is a linear target. [default: 1]", panel=PROBLEM
    ),
    "weight_variance": _text("--weight-variance", "Weight variance of the hidden layers, one or a comma list. [default: 1]"),
    "bias_variance": _text("--bias-variance", "Bias variance of the hidden layers, one or a comma list. [default: 0]"),
    "readout_variance": _text("--readout-variance", "Variance of the readout weights. [default: 1]"),
    "readout_bias_variance": _text("--readout-bias-variance", "Variance of the readout bias. [default: 0]"),
    "task": _text("--task", "regression or classification (labels are the sign). [default: regression]"),
    "noise": _text("--noise", "Variance of the label noise, in squared units of the output; of sign labels, before the sign. [default: 0]"),
    "labels": _text(
        "--labels",
        "Label law in place of --task: sign, logit[:SCALE], random[:PROBABILITY] (binary); abs, relu, quantised:T1/T2/.., poisson[:SCALE] "
        "(real). [default: that of --task]",
    ),
    "prior": _text(
        "--prior",
        "A linear target in place of the network, with weights of this law: gaussian, rademacher, gauss-bernoulli:DENSITY, "
        "sparse-rademacher:DENSITY.",
    ),
    "flips": _text("--flips", "Probability that a binary label is flipped; two for +1 and -1 labels. [default: 0]"),
    "offset": _text("--offset", "Constant part of the target's output. [default: random, curves average over its law]"),
    "widths": _text("--widths", "Widths of the hidden layers in simulations, one or a comma list. [default: --width-ratios times d]"),
    "width_ratios": _text("--width-ratios", "Widths over d where --widths is not given. [default: 1.4]"),
    "generator": _text(
        "--generator",
        "Inputs of a generative model: a random network by its activations, lowest first, and latents per input, e.g. sign:0.5 or "
        "tanh,sign:0.3 [default of the ratio: 0.5]; or a trained one: digits-vae, digits-conv, or a file of train-generator.",
    ),
    "target_sees": _text("--target-sees", "What labels are a function of, with --generator: latents or inputs. [default: latents]"),
    "spectrum": _text(
        "--spectrum",
        "Eigenvalues of the input covariance: identity, power-law:EXPONENT, two-level:HIGH:LOW:FRACTION, marchenko-pastur:RATIO, or "
        "V1,V2,... [default: identity]",
    ),
    "mean": _text("--mean", "Mean of every input coordinate. [default: 0]"),
    "covariance": _text("--covariance", "File with the input covariance matrix (.npy, .csv)."),
    "data": _text("--data", "File with a data matrix, one sample in each row (.npy, .csv), or 'digits': inputs are its rows."),
    "normalise": _option(
        bool | None,
        "--normalise/--no-normalise",
        help="Divide --data, or the outputs of --generator, by one number: mean variance 1. [default: no]",
        panel=PROBLEM,
    ),
    "features": _text("--features", "What the students see: random (features), nngp or ntk (kernels). [default: the inputs]"),
    "feature_activation": _text("--feature-activation", "Activation of the features, or a comma list. [default: erf]"),
    "feature_depth": _option(int | None, "--feature-depth", help="Hidden layers of the features. [default: 1]", panel=PROBLEM),
    "feature_ratio": _text("--feature-ratio", "Widths over d of random features, one or a comma list. [default: 1]"),
    "feature_weight_variance": _text("--feature-weight-variance", "Weight variance of the features' layers. [default: 1]"),
    "feature_bias_variance": _text("--feature-bias-variance", "Bias variance of the features' layers. [default: 0]"),
    "learner": _text(
        "--learner",
        "bayes, ridge, logistic, svm, lasso, elastic_net[:RATIO], or a loss (square, hinge, squared_hinge, huber[:THRESHOLD], absolute, "
        "quantile[:LEVEL], exponential); a comma list trains all on the same draws. Logistic, svm, hinges and exponential need "
        "--task classification. [default: bayes; ridge where labels are of the latents of a --generator]",
    ),
    "lam": _text(
        "--lam",
        "Penalty lam of sum of losses + lam |w|^2/2, on inputs over sqrt(d): a number, 'optimal', or a comma list. [default: optimal]",
    ),
    "penalty": _text("--penalty", "l2, l1 or elastic_net:RATIO, for learners other than bayes and ridge. [default: l2]"),
    "class_weight": _text("--class-weight", "Weights of the losses of -1 and +1 labels, as A,B. [default: 1,1]"),
    "minimise": _text(
        "--minimise",
        "What lam=optimal minimises (auc: maximises): test_error, test_loss, auc, log_loss, brier, calibration_error. "
        "[default: test_error]",
    ),
    "intercept": _option(
        bool | None, "--intercept/--no-intercept", help="Fit a constant. [default: when the target has one]", panel=PROBLEM
    ),
}
LEARNER_OPTIONS = ("learner", "lam", "penalty", "class_weight", "minimise", "intercept")
STUDENT_OPTIONS = (*LEARNER_OPTIONS, *(name for name in PROBLEM_OPTIONS if name.startswith("feature")))
Alpha = Annotated[
    str | None,
    typer.Option("--alpha", help="Samples per input dimension n/d: start:stop:count[:log] or a comma list.", rich_help_panel=CALL),
]
Points = Annotated[
    str | None,
    typer.Option(
        "--points",
        help="Points of the axis of a --problem of another kind, such as time or snr: start:stop:count[:log] or a comma list.",
        rich_help_panel=CALL,
    ),
]
Count = Annotated[str | None, typer.Option("--n", help="Numbers of samples n in place of --alpha; needs --d.", rich_help_panel=CALL)]
Dimension = Annotated[
    int | None,
    typer.Option(
        "--d", help="Input dimension, needed where networks are simulated; data and covariance matrices fix it.", rich_help_panel=CALL
    ),
]
Trials = Annotated[int, typer.Option("--trials", help="Networks drawn, each with its own data.", rich_help_panel=CALL, show_default=True)]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        help="Keep finished trials, and a long one under way, in FILE: the same command again goes on from there to the same bits.",
        rich_help_panel=CALL,
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Integer seed.", rich_help_panel=CALL, show_default=True)]
TestSamples = Annotated[
    int | None,
    typer.Option(
        "--test-samples",
        help="Fresh test rows of each trial. \\[default: max(2 d, 4096); of --data a quarter of the rows]",
        rich_help_panel=CALL,
    ),
]
Normalise = Annotated[
    bool,
    typer.Option(
        "--normalise-teacher",
        help="Rescale each network's readout to its expected norm: less variance, the same limit.",
        rich_help_panel=CALL,
    ),
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
    float | None,
    typer.Option(
        "--allowance",
        help="c: simulation and theory may differ by c/d of the value (at most 5%) beside 4 standard errors. \\[default: fitted]",
        rich_help_panel=CALL,
    ),
]
Keep = Annotated[int | None, typer.Option("--keep", help="Also reduce partially, with this many hidden layers left.", rich_help_panel=CALL)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.", rich_help_panel=OUT)]
Output = Annotated[str | None, typer.Option("--output", help="Also write FILE: .nc, .json, .csv, .png, .svg or .pdf.", rich_help_panel=OUT)]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 3 if a point did not converge.", rich_help_panel=OUT)]


def build_any(options: dict[str, Any]) -> Solvable:
    """The problem that the options describe, or that of a file with a kind of its own."""
    from gaussequiv.cli.inputs import build_any_problem

    return build_any_problem(options)


def build(options: dict[str, Any]) -> Problem:
    """The problem that the options describe."""
    from gaussequiv.cli.inputs import build_problem

    return build_problem(options)
