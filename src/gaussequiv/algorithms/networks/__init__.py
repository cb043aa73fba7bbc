"""Posteriors and evidence of sampled networks."""
