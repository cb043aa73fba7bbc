"""The commands `equivalent`, `theory`, `simulate` and `compare`."""

from __future__ import annotations

import json
from typing import Any

from gaussequiv.cli.base import command
from gaussequiv.cli.delivery import deliver, say
from gaussequiv.cli.options import (
    LEARNER_OPTIONS,
    Allowance,
    Alpha,
    Checkpoint,
    Count,
    Dimension,
    Json,
    Keep,
    Normalise,
    Output,
    Over,
    Points,
    Seed,
    Sensitivity,
    Strict,
    Target,
    TestSamples,
    Trials,
    build,
    build_any,
)


@command("equivalent", unused=LEARNER_OPTIONS[1:])
def equivalent(options: Any, d: Dimension = None, keep: Keep = None, as_json: Json = False, output: Output = None) -> None:
    """The Gaussian equivalent of a deep network: signal, noise, offset, lambda*, validity."""
    from gaussequiv.cli.outputs import equivalent_to_dict, write_layers

    result = build(options).equivalent(d)
    partial = None if keep is None else result.partial(keep)
    if output:
        say(f"wrote {write_layers(result, output)}")
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
    points: Points = None,
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
    from gaussequiv.cli.inputs import axis_points, parse_grid, parse_over, refuse_together
    from gaussequiv.errors import fail
    from gaussequiv.problems.supervised.description import Problem
    from gaussequiv.run.solve import samples_for, solve

    problem = build_any(options)
    asked = {"alpha": alpha, "points": points, "n": n, "over": over, "output": output, "sensitivity": sensitivity}
    refuse_together({"target_error": target_error}, asked)
    given: dict[str, Any] = {"size": d} | ({"sensitivity": tuple(sensitivity.split(","))} if sensitivity else {})
    refuse_together({"over": over}, {"n": n})
    if target_error is not None:
        if not isinstance(problem, Problem):
            raise fail("target_error", "left out for a problem of another kind, whose errors do not run along alpha", target_error)
        size = samples_for(problem, target_error, d=d)
        print(json.dumps(size._asdict()) if as_json else f"alpha = {size.alpha:.10g}" + ("" if size.n is None else f", n = {size.n}"))
    elif over:
        from gaussequiv.run.sweep import sweep  # with every other verb

        deliver(sweep(problem, axis_points(problem, alpha, points), parse_over(over), **given), as_json, output, strict)
    elif n is not None and alpha is None:
        deliver(solve(problem, n=parse_grid("n", n), **given), as_json, output, strict)
    else:
        given |= {} if n is None else {"n": parse_grid("n", n)}
        deliver(solve(problem, axis_points(problem, alpha, points), **given), as_json, output, strict)


@command("simulate")
def simulate(
    options: Any,
    alpha: Alpha = None,
    points: Points = None,
    d: Dimension = None,
    trials: Trials = 16,
    seed: Seed = 0,
    test_samples: TestSamples = None,
    normalise_teacher: Normalise = False,
    checkpoint: Checkpoint = None,
    over: Over = None,
    as_json: Json = False,
    output: Output = None,
    strict: Strict = False,
) -> None:
    """Train on labels of true networks at finite size and measure on fresh data."""
    own = {"test_samples": test_samples, "normalise_teacher": normalise_teacher}
    call = {"size": d, "trials": trials, "seed": seed, "checkpoint": checkpoint}
    _run("simulate", options, (alpha, points), over, call, own, as_json, output, strict)


@command("compare")
def compare(
    options: Any,
    alpha: Alpha = None,
    points: Points = None,
    d: Dimension = None,
    trials: Trials = 16,
    seed: Seed = 0,
    test_samples: TestSamples = None,
    normalise_teacher: Normalise = False,
    allowance: Allowance = None,
    checkpoint: Checkpoint = None,
    over: Over = None,
    as_json: Json = False,
    output: Output = None,
    strict: Strict = False,
) -> None:
    """Theory beside simulation, z-scores, and the verdict: agree, disagree or inconclusive."""
    call = {"size": d, "trials": trials, "seed": seed, "allowance": allowance, "checkpoint": checkpoint}
    own = {"test_samples": test_samples, "normalise_teacher": normalise_teacher}
    _run("compare", options, (alpha, points), over, call, own, as_json, output, strict)


def _run(
    verb: str,
    options: Any,
    asked: tuple[str | None, str | None],
    over: list[str] | None,
    call: dict[str, Any],
    own: dict[str, Any],
    as_json: bool,
    output: str | None,
    strict: bool,
) -> None:
    """`asked` are --alpha and --points; `own` are options of trials that a problem may lack: those that are given."""
    from gaussequiv.cli.inputs import axis_points, parse_over
    from gaussequiv.run.sweep import VERBS, sweep

    problem = build_any(options)
    grid = axis_points(problem, *asked)
    call |= {name: value for name, value in own.items() if value not in (None, False)}
    result = sweep(problem, grid, parse_over(over), verb=verb, **call) if over else VERBS[verb](problem, grid, **call)
    deliver(result, as_json, output, strict)
