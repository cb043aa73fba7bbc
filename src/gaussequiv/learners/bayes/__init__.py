"""Bayes-optimal learning: state evolution and information."""
