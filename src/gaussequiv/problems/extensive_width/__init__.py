"""Shallow networks of a width proportional to the inputs' dimension, learned from quadratically many samples."""

from gaussequiv.problems.extensive_width.description import ExtensiveWidth as ExtensiveWidth
