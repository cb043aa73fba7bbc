"""`TwoLayer`: sum_k v_k g(gain w_k . x/sqrt(N)), the student or the teacher of online learning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray, array, fail, integer, number
from gaussequiv.ingredients.activations.base import get as get_activation

READOUTS = ("gaussian", "ones")


@dataclass(frozen=True, eq=False)
class TwoLayer:
    r"""phi(x) = sum_k v_k g(gain w_k . x/sqrt(N)): K hidden units, no biases and no 1/K.

    Parameters
    ----------
    activation : str, function or `Activation`
        g. ``"erf"`` is erf(x); that of the statistical-physics literature, erf(x/sqrt(2)), has gain = 1/sqrt(2).
    units : int
    readout : "gaussian", "ones" or sequence of `units` numbers
        v: drawn from N(0, 1), a committee, or given.
    weight_std : float, not negative
        Of the entries of w where learning starts; a teacher's are what it is.
    gain : float, positive

    Examples
    --------
    >>> TwoLayer("relu", 3, readout="ones").draw_readout(np.random.default_rng(0)).tolist()
    [1.0, 1.0, 1.0]
    """

    activation: Any = "erf"
    units: int = 2
    readout: Any = "gaussian"
    weight_std: float = 1.0
    gain: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", get_activation(self.activation))
        object.__setattr__(self, "units", integer("units", self.units, minimum=1))
        object.__setattr__(self, "weight_std", number("weight_std", self.weight_std, nonnegative=True))
        object.__setattr__(self, "gain", number("gain", self.gain, positive=True))
        if isinstance(self.readout, str):
            if self.readout not in READOUTS:
                raise fail("readout", "'gaussian', 'ones' or one number for each unit", self.readout)
            return
        given = array("readout", self.readout, ndim=1)
        if given.size != self.units:
            raise fail("readout", f"one number for each of the {self.units} units", given.tolist())
        object.__setattr__(self, "readout", tuple(given.tolist()))

    def __str__(self) -> str:
        usual = {"readout": "gaussian", "weight_std": 1.0, "gain": 1.0}
        own = [f"{name} {value}" for name, value in self.to_dict().items() if name in usual and value != usual[name]]
        return ", ".join([f"{self.units} {self.activation.name}", *own])

    def draw_readout(self, rng: np.random.Generator) -> FloatArray:
        """v, shape (units,)."""
        if isinstance(self.readout, str):
            return np.ones(self.units) if self.readout == "ones" else rng.standard_normal(self.units)
        return np.array(self.readout)

    def to_dict(self) -> dict[str, Any]:
        """The fields, the activation by its name."""
        readout = list(self.readout) if isinstance(self.readout, tuple) else self.readout
        own = {"units": self.units, "readout": readout, "weight_std": self.weight_std, "gain": self.gain}
        return {"activation": self.activation.name} | own


def two_layer(name: str, description: Any, parts: Mapping[str, Any]) -> TwoLayer:
    """From its fields; a user's activation comes from `parts` by its name."""
    if isinstance(description, TwoLayer):
        return description
    if not isinstance(description, Mapping):
        raise fail(name, "a TwoLayer network", description)
    fields = dict(description)
    activation = fields.get("activation", "erf")
    if isinstance(activation, str):
        fields["activation"] = parts.get(activation, activation)
    try:
        return TwoLayer(**fields)
    except TypeError as error:
        raise ArgumentError(f"Argument `{name}` must have the fields of a TwoLayer network, but does not: {error}.") from None
