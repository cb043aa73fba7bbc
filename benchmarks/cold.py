"""Wall time of fresh processes: the command line and the plain loops."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec

from benchmarks.measure import Row, cold

ENTRY = "import sys; from gaussequiv.cli import main; sys.argv[0] = 'gaussequiv'; sys.exit(main())"  # what the installed script does
THEORY = "theory --activation tanh --weight-variance 4 --depth 2 --noise 0 --learner bayes --alpha 0.1:7:20 --json".split()


def run() -> list[Row]:
    """Time the command line against its aims, then the plain loops."""
    rows = []
    if find_spec("gaussequiv.cli") is None:
        print("gaussequiv.cli is missing: its two rows are left out", file=sys.stderr)
    else:
        theory, printed = cold([sys.executable, "-m", "gaussequiv.cli", *THEORY])
        assert len(json.loads(printed)["test_error"]) == 20
        rows += [
            Row("cold: gaussequiv theory, 20 alphas", theory, below=4.0),
            Row("cold: gaussequiv --help", cold([sys.executable, "-c", ENTRY, "--help"])[0], below=1.0),
        ]
    for name, points in (("classification", 30), ("ridge", 70)):
        wall, printed = cold([sys.executable, "-m", "benchmarks.notebook", name])
        assert len(json.loads(printed)) == points
        rows.append(Row(f"cold: plain loop, {name}, {points} alphas", wall))
    return rows
