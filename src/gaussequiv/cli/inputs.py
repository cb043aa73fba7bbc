"""From command-line text and files to a `Problem`. Nothing given is ever evaluated as code."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray, choice, closest, did_you_mean, fail
from gaussequiv.ingredients.inputs.base import DataInputs, GaussianInputs
from gaussequiv.problems.base import Solvable
from gaussequiv.problems.dictionary import from_dict as any_from_dict
from gaussequiv.problems.supervised.description import Problem
from gaussequiv.problems.supervised.dictionary import from_dict
from gaussequiv.trained.files import shipped_generators

GRID_FORM = "start:stop:count[:log] or a comma list of numbers"
_TARGET_NUMBERS = ("readout_variance", "readout_bias_variance", "noise", "offset")
_TARGET_LAYERS = ("weight_variance", "bias_variance", "width_ratios")
_DEEP_ONLY = (
    "activation",
    "depth",
    "weight_variance",
    "bias_variance",
    "readout_variance",
    "readout_bias_variance",
    "widths",
    "width_ratios",
)
_DEEP_FIELDS = ("activations", *_DEEP_ONLY[1:])
_ALIASES = {"activation": "activations"}


def required(name: str, value: str | None) -> str:
    """An option that this command needs."""
    if value is None:
        raise ArgumentError(f"Argument `{name}` must be given: --{name.replace('_', '-')} {GRID_FORM}.")
    return value


def refuse_together(given: dict[str, Any], others: dict[str, Any]) -> None:
    """Options that exclude each other."""
    for name, value in given.items():
        for other, also in others.items():
            if value not in (None, []) and also not in (None, []):
                raise fail(other, f"left out when {name} is given", also)


def parse_number(name: str, text: str, expected: str = "a number") -> float:
    """One number."""
    try:
        return float(text)
    except ValueError:
        raise fail(name, expected, text) from None


def parse_grid(name: str, text: str) -> FloatArray:
    """A grid: start:stop:count, start:stop:count:log, or a comma list."""
    parts = text.split(":")
    if len(parts) == 1:
        return np.array([parse_number(name, part) for part in text.split(",")])
    if len(parts) not in (3, 4) or (len(parts) == 4 and parts[3] != "log"):
        raise fail(name, f"of the form {GRID_FORM}", text)
    start, stop = parse_number(name, parts[0]), parse_number(name, parts[1])
    if not (parts[2].isascii() and parts[2].isdigit() and len(parts[2]) < 10) or not 1 <= int(parts[2]) <= 100_000:
        raise fail(name, f"of the form {GRID_FORM} with a count from 1 to 100000", text)
    count = int(parts[2])
    if len(parts) == 3:
        return np.linspace(start, stop, count)
    if start <= 0 or stop <= 0:
        raise fail(name, "positive at both ends of a logarithmic grid", text)
    return np.geomspace(start, stop, count)


def parse_over(items: list[str]) -> dict[str, list[Any]]:
    """NAME=GRID items: a grid of numbers, or a comma list of numbers, true, false and names; whole numbers become integers for depth."""
    over: dict[str, list[Any]] = {}
    for item in items:
        name, separator, text = item.partition("=")
        if not separator or not name or not text:
            raise fail("over", "of the form NAME=GRID", item)
        name = _ALIASES.get(name.replace("-", "_"), name.replace("-", "_"))
        grid = re.fullmatch(r"[^:,]+:[^:,]+:[^:,]+(:log)?", text) and name not in ("activations", "spectrum")
        values = parse_grid(name, text).tolist() if grid else [_word(part) for part in text.split(",")]
        over[name] = [int(v) if name in ("depth", "widths") and isinstance(v, float) and v.is_integer() else v for v in values]
    return over


def _word(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return float(text) if _numeric(text) else text


def _numeric(text: str) -> bool:
    try:
        [float(part) for part in text.split(",")]
    except ValueError:
        return False
    return True


def build_any_problem(options: dict[str, Any]) -> Solvable:
    """Anything solvable: a file with a `kind` says all of its problem, of which no option stands beside it."""
    description = read_description(options["problem"]) if options["problem"] else {}
    kind = description.get("kind", "supervised")
    if kind == "supervised":
        return _supervised(options, {key: value for key, value in description.items() if key != "kind"})
    given = {name: value for name, value in options.items() if name != "problem"}
    refuse_together({f"a problem of kind {kind!r}": True}, given)
    return any_from_dict(description)


def build_problem(options: dict[str, Any]) -> Problem:
    """Problem from a file, if one is named, overridden by the other options."""
    return _supervised(options, read_description(options["problem"]) if options["problem"] else {})


def axis_points(problem: Solvable, alpha: str | None, points: str | None) -> FloatArray:
    """The points of the problem's axis: --alpha, or --points of any axis."""
    refuse_together({"points": points}, {"alpha": alpha})
    axis = problem.axis.name
    if points is None and axis == "alpha":
        points = required("alpha", alpha)
    if points is None:
        raise ArgumentError(f"Argument `points` must be given, as the axis of this problem is {axis}: --points {GRID_FORM}.")
    return parse_grid(axis, points)


def _supervised(options: dict[str, Any], description: dict[str, Any]) -> Problem:
    target = dict(_section(description, "target")) | _target(options)
    if options["prior"] is not None:
        refuse_together({"prior": options["prior"]}, {name: options[name] for name in _DEEP_ONLY})
        target = {key: value for key, value in target.items() if key not in _DEEP_FIELDS} | {"kind": "linear", "prior": options["prior"]}
    if {"activations", "depth"} & _target(options).keys() and "activations" not in _target(options):
        target.setdefault("activations", "tanh")
    inputs = _inputs(options, description)
    learner = _learners(options) or description.get("learner") or {"name": _default_learner(inputs)}
    extra = {key: value for key, value in description.items() if key not in ("target", "inputs", "features", "learner")}
    features = _features(options, description)
    extra |= {"features": features} if features else {}
    gaussian = inputs if isinstance(inputs, dict) else {}
    return from_dict(
        {"target": target, "inputs": gaussian, "learner": learner} | extra, inputs=None if isinstance(inputs, dict) else inputs
    )


def _default_learner(inputs: Any) -> str:
    """The optimal one, but ridge where labels are of latents behind the inputs: what the inputs say of them is not known."""
    hidden = isinstance(inputs, dict) and inputs.get("kind") == "generator" and inputs.get("target_sees", "latents") == "latents"
    return "ridge" if hidden else "bayes"


def read_description(path: str) -> dict[str, Any]:
    """A TOML or JSON description; '-' reads stdin."""
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # not there, or not UTF-8
        raise ArgumentError(f"Argument `problem` must be a readable file, but {path!r} is not: {error}.") from None
    try:
        loaded = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # not the language, a number of thousands of digits, or nested without end
        raise ArgumentError(f"Argument `problem` must be TOML or JSON, but {path!r} is not: {error}.") from None
    if not isinstance(loaded, dict):
        raise fail("problem", "an object with sections target, inputs, learner", loaded)
    return loaded


def _section(description: dict[str, Any], name: str) -> dict[str, Any]:
    section = description.get(name, {})
    if not isinstance(section, dict):
        raise fail(name, "a section (a table of fields)", section)
    return section


def _target(options: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if options["activation"] is not None:
        names = options["activation"].split(",")
        out["activations"] = names[0] if len(names) == 1 else names
    if options["depth"] is not None:
        out["depth"] = options["depth"]
    for name in ("task", "labels"):
        if options[name] is not None:
            out[name] = options[name]
    if options["flips"] is not None:
        flips = [parse_number("flips", part) for part in options["flips"].split(",")]
        out["flips"] = flips[0] if len(flips) == 1 else flips
    for name in _TARGET_NUMBERS:
        if options[name] is not None:
            out[name] = parse_number(name, options[name])
    for name in _TARGET_LAYERS:
        if options[name] is not None:
            values = [parse_number(name, part) for part in options[name].split(",")]
            out[name] = values[0] if len(values) == 1 else values
    if options["widths"] is not None:
        widths = [parse_number("widths", part) for part in options["widths"].split(",")]
        out["widths"] = widths[0] if len(widths) == 1 else widths
    return out


def _inputs(options: dict[str, Any], description: dict[str, Any]) -> Any:
    if options["data"] is not None:
        refuse_together({"data": options["data"]}, {name: options[name] for name in ("generator", "target_sees")})
        if options["spectrum"] or options["covariance"] or options["mean"]:
            raise fail("data", "given without --spectrum, --covariance and --mean", options["data"])
        return data_inputs(options["data"], bool(options["normalise"]))
    section = dict(_section(description, "inputs"))
    if options["generator"] is not None:
        refuse_together({"generator": options["generator"]}, {name: options[name] for name in ("spectrum", "covariance", "mean")})
        seen = {} if options["target_sees"] is None else {"target_sees": options["target_sees"]}
        seen |= {} if options["normalise"] is None else {"normalise": options["normalise"]}
        return {"kind": "generator", "generator": generator_section(options["generator"])} | seen
    if options["target_sees"] is not None and section.get("kind") == "generator":
        section["target_sees"] = options["target_sees"]
    elif options["target_sees"] is not None:
        raise fail("target_sees", "given together with --generator", options["target_sees"])
    if options["normalise"] is not None:
        raise fail("normalise", "given together with --data or --generator", options["normalise"])
    if options["covariance"] is not None:
        if options["spectrum"] is not None:
            raise fail("covariance", "given without --spectrum", options["covariance"])
        mean = parse_number("mean", options["mean"]) if options["mean"] is not None else 0.0
        return GaussianInputs(covariance=read_matrix("covariance", options["covariance"]), mean=mean)
    if options["spectrum"] is not None:
        section["spectrum"] = options["spectrum"]
    if options["mean"] is not None:
        section["mean"] = parse_number("mean", options["mean"])
    if section.get("kind") == "data" and "file" in section:
        for key in section.keys() - {"kind", "file", "normalise"}:
            raise fail("inputs", "a section with kind, file and normalise only, for data", key)
        return data_inputs(str(section["file"]), bool(section.get("normalise", False)))
    return section


def generator_section(text: str) -> dict[str, Any]:
    """The description of a random generator, or of a trained one by its name or file."""
    trained = shipped_generators()
    if text in trained or text.endswith(".npz"):
        return {"kind": "trained", "source": text}
    if "-" in text.partition(":")[0] or closest(text, trained):  # no activation has such a name
        raise ArgumentError(
            f"Argument `generator` must be the activations of random layers, one of the trained {', '.join(trained)}, or a file of "
            f"train-generator (.npz), but generator={text!r}.{did_you_mean(text, trained)}"
        )
    names, separator, ratio = text.rpartition(":")
    try:
        number, layers = float(ratio), names
    except ValueError:
        number, layers = 0.5, text  # the colon, if there is one, is the activation's own
    return {"kind": "random", "activations": layers.split(","), "latent_ratio": number if separator else 0.5}


def _features(options: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    """The section on what students see; empty for raw inputs."""
    section = dict(_section(description, "features"))
    if options["features"] is not None:
        section["name"] = options["features"]
    given = {key.removeprefix("feature_"): options[key] for key in options if key.startswith("feature_") and options[key] is not None}
    if given and not section:
        raise fail("features", "given when an option of the features is", options["features"])
    if "activation" in given:
        names = given.pop("activation").split(",")
        section["activations"] = names[0] if len(names) == 1 else names
    if "depth" in given:
        section["depth"] = given.pop("depth")
    for key, text in given.items():
        values = [parse_number(f"feature_{key}", part) for part in text.split(",")]
        section[key] = values[0] if len(values) == 1 else values
    return section


def data_inputs(name: str, normalise: bool) -> DataInputs:
    """The rows of a file, or scikit-learn's bundled digits."""
    if name == "digits":
        from sklearn.datasets import load_digits

        return DataInputs(load_digits().data, normalise=normalise, name="digits")
    return DataInputs(read_matrix("data", name), normalise=normalise, name=Path(name).stem)


def read_matrix(name: str, path: str) -> FloatArray:
    """A numeric matrix from .npy or .csv (a header line is recognised)."""
    kind = Path(path).suffix.lower()
    if kind not in (".npy", ".csv"):
        raise fail(name, "a file name ending in .npy or .csv" + (" or 'digits'" if name == "data" else ""), path)
    try:
        if kind == ".npy":
            return np.asarray(np.load(path, allow_pickle=False), dtype=np.float64)
        with Path(path).open() as file:
            first = file.readline()
        return np.loadtxt(path, delimiter=",", skiprows=0 if _numeric(first) else 1, ndmin=2)
    except (OSError, ValueError) as error:
        raise ArgumentError(f"Argument `{name}` must be a file with a numeric matrix, but {path!r} is not: {error}.") from None


_SHORT = {"logistic": ("logistic", "l2"), "svm": ("hinge", "l2"), "lasso": ("square", "l1")}
_OWN = ("penalty", "class_weight", "minimise")


def _learners(options: dict[str, Any]) -> Any:
    """Learner sections: every name in --learner, once for every --lam where it has one."""
    if options["learner"] is None:
        for option in ("lam", "intercept", *_OWN):
            if options[option] is not None:
                raise fail("learner", f"given when --{option.replace('_', '-')} is", None)
        return None
    learners: list[dict[str, Any]] = []
    for raw in options["learner"].split(","):
        name = raw.strip().lower().replace("-", "_")
        if name == "bayes":
            learners.append({"name": "bayes"})
            continue
        section = {"name": "ridge"} if name == "ridge" else _convex(name, options)
        for lam in (options["lam"] or "optimal").split(","):
            value = lam if lam == "optimal" else parse_number("lam", lam, "a number or 'optimal'")
            learners.append(section | {"lam": value, "intercept": options["intercept"]})
    for option in ("lam", "intercept"):
        if options[option] is not None and all(one["name"] == "bayes" for one in learners):
            raise fail(option, "given together with a learner other than bayes", options[option])
    for option in _OWN:
        if options[option] is not None and not any(one["name"] == "erm" for one in learners):
            raise fail(option, "given together with a learner other than bayes and ridge", options[option])
    return learners[0] if len(learners) == 1 else learners


def _convex(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """The section of a convex learner named by its loss or a common name."""
    from gaussequiv.ingredients.losses import named as losses

    head = name.partition(":")[0]
    known = ("bayes", "ridge", *_SHORT, "elastic_net", *(form.partition(":")[0] for form in losses.names() if form != "max_margin"))
    choice("learner", head, tuple(dict.fromkeys(known)))
    loss, penalty = ("square", name) if head == "elastic_net" else _SHORT.get(name, (name, "l2"))
    if penalty != "l2" and options["penalty"] is not None:
        raise fail("penalty", f"left out for {name}, which has its own", options["penalty"])
    section: dict[str, Any] = {"name": "erm", "loss": loss, "penalty": options["penalty"] or penalty}
    if options["minimise"] is not None:
        section["minimise"] = options["minimise"]
    if options["class_weight"] is not None:
        weights = [parse_number("class_weight", part) for part in options["class_weight"].split(",")]
        if len(weights) != 2:
            raise fail("class_weight", "two numbers A,B: the weights of -1 and +1 labels", options["class_weight"])
        section["class_weight"] = {"-1": weights[0], "1": weights[1]}
    return section
