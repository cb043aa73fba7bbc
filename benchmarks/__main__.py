"""``python -m benchmarks`` runs all parts and writes results.json and RESULTS.md; ``python -m benchmarks NAME`` runs one."""

from __future__ import annotations

import sys
from importlib import import_module

from benchmarks.measure import render, write

PARTS = ("curves", "erm", "glm", "amp", "sampler", "features", "generative", "compositions", "cold", "simulation")


def main(names: list[str]) -> int:
    """Run the named parts, or all of them."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"Unknown benchmark {unknown[0]!r}; known: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    rows = []
    for name in names or PARTS:
        print(f"running {name}", file=sys.stderr)
        rows += import_module(f"benchmarks.{name}").run()
    print(render(rows))
    if not names:
        write(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
