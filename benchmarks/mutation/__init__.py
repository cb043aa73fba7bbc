"""Do the tests notice small wrong changes? ``python -m benchmarks.mutation`` makes some and counts those that no test fails on.

Own code of a few pages rather than a kept library: those run one command for every change, and here each file has its own tests.
"""
