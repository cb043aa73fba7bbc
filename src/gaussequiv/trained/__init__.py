"""Generators that the package trains: architectures, training, files."""
