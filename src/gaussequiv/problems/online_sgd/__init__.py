"""One-pass SGD of two-layer networks on generative models, along time."""

from gaussequiv.problems.online_sgd.description import OnlineSGD as OnlineSGD
from gaussequiv.problems.online_sgd.two_layer import TwoLayer as TwoLayer
