"""``make mutate COUNT=60 SEED=0``: change the code in a copy, one place at a time, and run the tests of the changed file.

Ends with the survivors, what was changed in them, and 0 if at most one change in ten survives, else 1; 2 if tests fail without a change.
"""

from __future__ import annotations

import argparse
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from queue import Queue

from benchmarks.mutation.mutants import Mutant, chosen
from benchmarks.mutation.suite import Suite

ROOT = Path(__file__).parents[2]
ROOMS = ["numerics", "samples", "learners", "equivalence", "algorithms"]
ALLOWED = 0.1  # share of survivors
COPIED = (
    *("src", "tests", "benchmarks", "docs", "examples", "pyproject.toml", "Makefile", "CITATION.cff", "references.bib"),
    *("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"),  # which tests read
)
FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """What became of a change: the test that failed on it, or none."""

    mutant: Mutant
    diff: str
    killer: str | None
    seconds: float


@dataclass(frozen=True)
class Limits:
    """CPU seconds of one test, of the tests near a change, and of those further away."""

    test: float
    near: float
    far: float


def copy_to(folder: Path) -> None:
    """What the tests need, compiled, without caches."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
        elif source.exists():
            shutil.copy(source, folder / name)
    for file in (folder / "src").rglob("*.py"):
        py_compile.compile(str(file), doraise=True)


@contextmanager
def changed(copy: Path, mutant: Mutant) -> Iterator[None]:
    """The change, for a while."""
    file = copy / mutant.path
    source = file.read_text()
    Path(cache_from_source(str(file))).unlink(missing_ok=True)  # its date could not tell the change from the original
    file.write_text(mutant.apply(source))
    try:
        yield
    finally:
        file.write_text(source)


def run_tests(copy: Path, tests: list[str], limits: Limits, seconds: float, stop: bool = True) -> list[str]:
    """The tests that fail (only the first with `stop`) before the CPU time is spent."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(copy / "src"), str(copy)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MUTATION_TEST_SECONDS": str(limits.test),
        "MUTATION_RUN_SECONDS": str(seconds),
    }
    options = ["-q", "--no-header", "--tb=no", "-m", "not slow", "-p", "no:cacheprovider", "-p", "benchmarks.mutation.limits"]
    call = [sys.executable, "-m", "pytest", *options, *(["-x"] if stop else []), *tests]
    ceiling = int(seconds + 2 * limits.test) + 1  # for what no signal reaches
    shell = ["sh", "-c", f'ulimit -t {ceiling}; exec "$@"', "sh", *call]
    done = subprocess.run(shell, cwd=copy, env=environment, capture_output=True, text=True)
    if done.returncode in (0, 5):
        return []
    if found := FAILED.findall(done.stdout):
        return list(found)
    if done.returncode < 0 or done.returncode > 100 or done.returncode == 1:
        return [tests[0]]  # killed for its time, or crashed
    raise SystemExit(f"pytest ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def judge(copy: Path, suite: Suite, mutant: Mutant, limits: Limits) -> Verdict:
    """Run what is near, then what is further away."""
    start = time.monotonic()
    killers: list[str] = []
    diff = mutant.diff((copy / mutant.path).read_text())
    with changed(copy, mutant):
        for tests, seconds in ((suite.near(mutant.path), limits.near), (suite.far(mutant.path), limits.far)):
            if tests and seconds and not killers:
                killers = run_tests(copy, [str(test) for test in tests], limits, seconds)
    return Verdict(mutant, diff, killers[0] if killers else None, time.monotonic() - start)


def main(arguments: list[str] | None = None) -> int:
    """Draw, judge, and say what survived."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation", description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="changes to try")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="changes tried at once")
    parser.add_argument("--rooms", default=",".join(ROOMS), help="folders or modules, by commas: numerics,learners/ridge")
    parser.add_argument("--test-seconds", type=float, default=60, help="CPU time after which a test counts as failed")
    parser.add_argument("--near-seconds", type=float, default=150, help="CPU time for the tests of the changed file")
    parser.add_argument("--far-seconds", type=float, default=90, help="CPU time for the tests of files that import it")
    parser.add_argument("--list", action="store_true", help="show the changes, try none")
    given = parser.parse_args(arguments)
    limits, suite = Limits(given.test_seconds, given.near_seconds, given.far_seconds), Suite(ROOT)
    files = suite.files(given.rooms.split(","))
    if not files:
        parser.error(f"no files in {given.rooms}")
    mutants = list(chosen(files, ROOT, given.count, given.seed))
    if given.list:
        for mutant in mutants:
            print(f"{mutant.path}:{mutant.line} {mutant.kind}\n{mutant.diff((ROOT / mutant.path).read_text())}")
        return 0
    with tempfile.TemporaryDirectory(prefix="mutation-") as place:
        return report(*try_all(Path(place), suite, mutants, limits, given.jobs))


def try_all(place: Path, suite: Suite, mutants: list[Mutant], limits: Limits, jobs: int) -> tuple[list[Verdict], list[str]]:
    """Verdicts, and the tests among those that failed which fail without any change too."""
    copies: Queue[Path] = Queue()
    for i in range(jobs):
        copy_to(place / str(i))
        copies.put(place / str(i))

    def one(mutant: Mutant) -> Verdict:
        copy = copies.get()
        try:
            return judge(copy, suite, mutant, limits)
        finally:
            copies.put(copy)

    verdicts: list[Verdict] = []
    with ThreadPoolExecutor(jobs) as pool:
        for future in as_completed([pool.submit(one, mutant) for mutant in mutants]):
            verdicts.append(verdict := future.result())
            mutant, end = verdict.mutant, f"caught by {verdict.killer}" if verdict.killer else "SURVIVED"
            print(f"{len(verdicts)}/{len(mutants)} {mutant.path}:{mutant.line} {mutant.kind}: {end} ({verdict.seconds:.0f} s)", flush=True)
    killers = sorted({verdict.killer for verdict in verdicts if verdict.killer})
    broken = run_tests(place / "0", killers, limits, float(10**6), stop=False) if killers else []
    return verdicts, broken


def report(verdicts: list[Verdict], broken: list[str]) -> int:
    """The survivors, line by line, and the summary."""
    survivors = [verdict for verdict in verdicts if verdict.killer is None]
    for verdict in sorted(survivors, key=lambda one: (one.mutant.path, one.mutant.line)):
        print(f"\n{verdict.mutant.path}:{verdict.mutant.line} {verdict.mutant.kind}\n{verdict.diff}")
    share = len(survivors) / max(len(verdicts), 1)
    print(f"\n{len(survivors)} of {len(verdicts)} changes survived ({share:.0%}; at most {ALLOWED:.0%} may).")
    if broken:
        print("These tests fail without any change, so that what they caught says nothing:", *broken, sep="\n  ")
        return 2
    return int(share > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
