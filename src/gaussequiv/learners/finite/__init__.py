"""Minimisers of convex objectives on one sample, with certificates."""
