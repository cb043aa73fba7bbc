"""A rank-one matrix in Gaussian noise."""

from gaussequiv.problems.spiked_wigner.description import SpikedWigner as SpikedWigner
from gaussequiv.problems.spiked_wigner.description import Transitions as Transitions
