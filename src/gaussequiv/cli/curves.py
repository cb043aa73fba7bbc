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
    Count,
    Dimension,
    Json,
    Keep,
    Normalise,
    Output,
    Over,
    Seed,
    Sensitivity,
    Strict,
    Target,
    TestSamples,
    Trials,
    build,
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

    problem = build(options)
    refuse_together({"target_error": target_error}, {"alpha": alpha, "n": n, "over": over, "output": output, "sensitivity": sensitivity})
    names = tuple(sensitivity.split(",")) if sensitivity else ()
    refuse_together({"over": over}, {"n": n})
    if target_error is not None:
        size = samples_for(problem, target_error, d=d)
        print(json.dumps(size._asdict()) if as_json else f"alpha = {size.alpha:.10g}" + ("" if size.n is None else f", n = {size.n}"))
    elif over:
        from gaussequiv.run.sweep import sweep  # with every other verb

        deliver(
            sweep(problem, parse_grid("alpha", required("alpha", alpha)), parse_over(over), d=d, sensitivity=names), as_json, output, strict
        )
    elif n is not None and alpha is None:
        deliver(solve(problem, n=parse_grid("n", n), d=d, sensitivity=names), as_json, output, strict)
    else:
        points = parse_grid("alpha", required("alpha", alpha))
        deliver(solve(problem, points, n=None if n is None else parse_grid("n", n), d=d, sensitivity=names), as_json, output, strict)


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

    problem = build(options)
    grid = parse_grid("alpha", required("alpha", alpha))
    if over:
        values = parse_over(over)
        result = sweep(problem, grid, values, verb=verb, **call)
    else:
        result = VERBS[verb](problem, grid, **call)
    deliver(result, as_json, output, strict)
