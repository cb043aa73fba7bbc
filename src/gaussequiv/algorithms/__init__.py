"""Finite-size iterations, each as init / step / observe."""
