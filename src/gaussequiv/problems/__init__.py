"""Solvable problems."""
