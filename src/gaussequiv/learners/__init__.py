"""Learners: each gives its exact curve on an equivalent and fits a finite sample."""
