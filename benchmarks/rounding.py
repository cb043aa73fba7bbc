"""The finite fits under the rounding of other processors: several BLAS kernels, one and two threads, NumPy without its wider instructions.

python -m benchmarks.rounding [tests ...]
"""

import os
import subprocess
import sys

from numpy._core import _multiarray_umath as umath

KERNELS = ("Haswell", "Zen", "Prescott", "SkylakeX")  # OpenBLAS falls back to its own choice for one that the machine cannot run
TESTS = ("tests/learners/finite", "tests/learners/convex/test_finite_fit.py", "src/gaussequiv/ingredients/losses/custom.py")


def environments() -> list[dict[str, str]]:
    """What is set for every run."""
    found = [{"OPENBLAS_CORETYPE": kernel, "OPENBLAS_NUM_THREADS": "1"} for kernel in KERNELS]
    found.append({"OPENBLAS_CORETYPE": KERNELS[0], "OPENBLAS_NUM_THREADS": "2"})
    usable = [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]
    return [*found, {"NPY_DISABLE_CPU_FEATURES": " ".join(usable), "OPENBLAS_NUM_THREADS": "1"}]


def main() -> int:
    """Run the tests once for every environment; the number of runs that failed."""
    failed = 0
    for environment in environments():
        print(" ".join(f"{name}={value!r}" for name, value in environment.items()), flush=True)
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-m", "not slow", *(sys.argv[1:] or TESTS)]
        failed += subprocess.run(command, env=os.environ | environment, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
