"""Time and memory of the library, beside plain SciPy loops that solve the same equations; run with `python -m benchmarks`."""
