"""What a target of learning has: a random function of the inputs, and the law of the labels given its values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gaussequiv.ingredients.adopted import LeftOut, adopted, original


class Target:
    """A field S(x) and labels y ~ P(. | S): `DeepNetwork` or `LinearTarget`. The defaults are those of a linear field of Gaussian weights.

    Attributes
    ----------
    channel : Channel
        P(y | field).
    layers, activations : tuples
        Of the hidden layers, lowest first: `Activation` objects and their names.
    weight_variance, bias_variance : tuple of float
        One for each hidden layer.
    readout_variance, readout_bias_variance : float
    depth : int
        Number of hidden layers.
    offset : float or None
        The constant part of the field that the problem is conditioned on; None: what the target's own law makes it.
    prior : Prior or None
        Law of independent linear weights; None: Gaussian ones.
    widths : sequence of int or None
        Given widths of the hidden layers.
    """

    channel: Any
    layers: tuple[Any, ...] = ()
    activations: Any = ()
    weight_variance: Any = ()
    bias_variance: Any = ()
    readout_variance: float = 1.0
    readout_bias_variance: float = 0.0
    depth: Any = 0
    offset: float | None = None
    prior: Any = None
    widths: Sequence[int] | None = None

    @property
    def task(self) -> str:
        """regression or classification."""
        return str(self.channel.task)

    @property
    def noise(self) -> float:
        """Variance of the label noise."""
        return float(self.channel.noise)

    def widths_at(self, d: int) -> tuple[int, ...]:
        """Widths of the hidden layers in a simulation with d inputs."""
        return ()

    def sample(self, rng: np.random.Generator, d: int, *, normalise: bool = False) -> Any:
        """Draw the weights: a function from rows of inputs to the field. `normalise` rescales the readout to its expected norm."""
        raise self.lacks("sample")

    def to_dict(self) -> dict[str, Any]:
        """The description that saved results carry."""
        raise self.lacks("to_dict")

    def lacks(self, member: str) -> LeftOut:
        """The error for a member that this target leaves out."""
        return LeftOut(
            f"Argument `target` must be one with `{member}` for this, but {type(original(self)).__name__} leaves out what {__name__} lists."
        )


def get(target: Any, argument: str = "target") -> Target:
    """A target as it is, or a user's object with its own members and the defaults of `Target`."""
    found: Target = adopted(target, Target, ("channel",), argument)
    return found
