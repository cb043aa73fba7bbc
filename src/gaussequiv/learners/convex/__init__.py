"""Empirical risk minimisation: curves from the saddle point, and fits."""
