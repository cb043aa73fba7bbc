"""From results to tables, files and figures for the command line."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.errors import choice, fail
from gaussequiv.results import load, save, version_of, versions
from gaussequiv.store.files import replace, replace_figure

if TYPE_CHECKING:
    import xarray as xr

    from gaussequiv.equivalence.depth import PartialReduction
    from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent

FIGURES = (".png", ".svg", ".pdf")
COLUMNS = (
    "theory",
    "simulation",
    "test_error",
    "test_error_mean",
    "test_error_stderr",
    "train_error",
    "train_error_mean",
    "floor",
    "overlap",
    "lam",
    "z",
    "allowance",
)
SILENT = ("status", "steps", "residual", "converged", "verdict", "reason")


def table(result: xr.Dataset) -> None:
    """Print a result as a table on stdout, with its verdict."""
    from rich.console import Console
    from rich.table import Table

    axis, judged = (str(result.attrs.get(key, default)) for key, default in (("axis", "alpha"), ("judged", "test_error")))
    if "source" in result.dims:  # side by side
        sides = {side: result[judged].sel(source=side, drop=True) for side in ("theory", "simulation")}
        error = result[f"{judged}_stderr"].sel(source="simulation", drop=True)
        result = result.drop_dims("source").assign(sides | {f"{judged}_stderr": error})
    wanted = [*COLUMNS, *(str(name) for name in result.data_vars if str(name).startswith("d_test_error_d_")), *_minimised(result)]
    if axis != "alpha":  # of another kind: all that is one number at each point
        points = set(result["converged"].dims) - {"trial"}
        wanted = [str(name) for name, one in result.data_vars.items() if set(one.dims) == points and name not in SILENT]
    names = [name for name in wanted if name in result.data_vars and "trial" not in result[name].dims]
    frame = result[[*names, "converged"]]
    if "trial" in frame.dims:
        frame = frame.assign(converged=frame["converged"].all("trial")).drop_dims("trial", errors="ignore")
    dims = [str(dim) for dim in frame.sizes if dim not in (axis, "trial")] + [axis]
    rows = frame.to_dataframe(dim_order=dims).reset_index()
    shown = Table(box=None, pad_edge=False)
    keys = [*dims, *(["n"] if "n" in rows else []), *names]
    for key in keys:
        shown.add_column(key, justify="right")
    shown.add_column("converged")
    for _, row in rows.iterrows():
        shown.add_row(*(cell(row[key]) for key in keys), "yes" if row["converged"] else "NO")
    width = None if Console().is_terminal else 200
    Console(width=width).print(shown)
    if "verdict" in result.attrs:
        print(f"verdict: {result.attrs['verdict']} ({result.attrs['reason']})")
    elif "verdict" in result:
        for index, verdict in np.ndenumerate(result["verdict"].values):
            print(f"verdict at {index}: {verdict} ({result['reason'].values[index]})")


def _minimised(result: xr.Dataset) -> list[str]:
    """Observables other than the test error that optimal penalties minimise."""
    import json

    learners = json.loads(result.attrs.get("problem", "{}")).get("learner", [])
    learners = learners if isinstance(learners, list) else [learners]
    return [name for name in dict.fromkeys(one.get("minimise", "test_error") for one in learners) if name not in COLUMNS]


def cell(value: Any) -> str:
    """A value as tables show it."""
    if isinstance(value, (float, np.floating)):
        return "-" if np.isnan(value) else f"{value:.6g}"
    return str(value)


def write(result: xr.Dataset, output: str) -> Path:
    """Save a result, or draw it, by the file name's ending."""
    if Path(output).suffix.lower() in FIGURES:
        return draw(result, output, "curve", None, False)
    return save(result, output)


def draw(result: xr.Dataset, output: str, kind: str, observable: str | None, log: bool) -> Path:
    """Draw a result into a figure file."""
    from gaussequiv import plot

    path = Path(output)
    if path.suffix.lower() not in FIGURES:
        raise fail("output", f"a file name ending in {', '.join(FIGURES)}", output)
    choice("kind", kind, ("curve", "residuals"))
    scale = log or None  # without the flag as the points are spaced
    axes = plot.curve(result, observable=observable, log=scale) if kind == "curve" else plot.residuals(result, log=scale)
    return _savefig(axes, path)


def write_layers(equivalent: GaussianEquivalent, output: str) -> Path:
    """Draw signal and noise through depth, or save the card's numbers as JSON."""
    import json

    from gaussequiv import plot

    path = Path(output)
    if path.suffix.lower() in FIGURES:
        return _savefig(plot.layers(equivalent), path)
    if path.suffix.lower() != ".json":
        raise fail("output", f"a file name ending in .json, {', '.join(FIGURES)}", output)
    return replace(path, json.dumps(equivalent_to_dict(equivalent, None)).encode())


def _savefig(axes: Any, path: Path) -> Path:
    return replace_figure(path, axes.figure, dpi=150)


def equivalent_to_dict(equivalent: GaussianEquivalent, partial: PartialReduction | None) -> dict[str, Any]:
    """The card's numbers."""
    import dataclasses

    e = equivalent
    out: dict[str, Any] = {
        "signal_variance": e.signal_variance,
        "effective_noise": e.effective_noise.tolist(),
        "offset_variance": e.offset_variance,
        "label_noise": e.channel.noise,
        "lam_optimal": e.lam_optimal if np.isfinite(e.lam_optimal) else None,
        "floor": e.floor,
        "task": e.channel.task,
        "modes": int(e.eigenvalues.size),
        "layers": [dataclasses.asdict(layer) for layer in e.layers],
    }
    if e.validity is not None:
        out["validity"] = {"status": e.validity.status, "reason": e.validity.reason, "hypotheses": dict(e.validity.hypotheses)}
    if partial is not None:
        out["partial"] = dataclasses.asdict(partial)
    return out


def known_names() -> dict[str, list[str]]:
    """Everything the options understand."""
    from gaussequiv.ingredients.activations import base as activations
    from gaussequiv.ingredients.channels import links
    from gaussequiv.ingredients.channels import named as named_channels
    from gaussequiv.ingredients.inputs import spectra
    from gaussequiv.ingredients.losses import named as losses
    from gaussequiv.ingredients.priors import named as priors

    return {
        "activations": list(activations.names()),
        "spectra": list(spectra.names()),
        "learners": [
            "bayes",
            "ridge",
            "logistic",
            "svm",
            "lasso",
            "elastic_net:RATIO",
            *(n for n in losses.names() if n not in ("logistic", "max_margin")),
        ],
        "features": ["random", "nngp", "ntk"],
        "labels": [*links.FORMS, *named_channels.FORMS],
        "priors": list(priors.FORMS),
        "tasks": ["regression", "classification"],
        "data": ["digits", "FILE.npy", "FILE.csv"],
    }


def bibliography(keys: list[str]) -> str:
    """BibTeX of the given keys (or of saved results' citations); all entries for none."""
    from importlib.resources import files

    text = files("gaussequiv").joinpath("references.bib").read_text()
    entries = {block.split("{", 1)[1].split(",", 1)[0].strip(): block.strip() for block in ("\n" + text).split("\n@")[1:]}
    wanted: list[str] = []
    for key in keys:
        if Path(key).suffix in (".nc", ".json", ".csv"):
            wanted += [name.strip() for name in str(load(key).attrs.get("citations", "")).split(",")]
        else:
            wanted.append(key)
    for key in wanted:
        choice("keys", key, entries)
    return "\n\n".join("@" + entries[key] for key in (dict.fromkeys(wanted) or entries))


def installation_report() -> dict[str, Any]:
    """Versions, and whether one published number and one small simulation come out right."""
    import os

    from gaussequiv.ingredients.targets.deep_network import DeepNetwork
    from gaussequiv.learners.convex.ridge import Ridge
    from gaussequiv.problems.supervised.description import Problem
    from gaussequiv.run.simulate import simulate
    from gaussequiv.run.solve import solve

    report: dict[str, Any] = {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count()}
    report |= versions()
    for name in ("jax", "matplotlib", "scikit-learn"):
        try:
            report[name] = version_of(name)
        except ImportError:
            report[name] = "missing"
    target = DeepNetwork("tanh", depth=2, weight_variance=4)
    theory = float(solve(Problem(target=target), alpha=2.0).test_error[0])
    exact = abs(theory - 0.24752256) < 5e-9  # Bayes-optimal error of L = 2, tanh(2x) at alpha = 2
    run = simulate(Problem(target=target, learner=Ridge("optimal")), alpha=2.0, d=60, trials=8, progress=False)
    near = abs(float(run.test_error_mean[0]) - theory) < 6 * float(run.test_error_stderr[0]) + 0.05 * theory
    report |= {"exact number": "ok" if exact else f"WRONG: {theory!r}", "simulation": "ok" if near else "FAR from theory"}
    return report | {"ok": exact and near and "missing" not in report.values()}
