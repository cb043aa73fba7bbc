"""Deep random networks: the target of learning, described once, sampled for simulation, reduced for theory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray, array, choice, fail, integer, number, per_layer
from gaussequiv.ingredients.activations import base as acts
from gaussequiv.ingredients.activations.layers import layers_of, set_layers
from gaussequiv.ingredients.channels import given
from gaussequiv.ingredients.channels.base import Channel, RealLabel
from gaussequiv.ingredients.channels.binary import Binary
from gaussequiv.ingredients.channels.gaussian import GaussianNoise
from gaussequiv.ingredients.channels.named import named_channel, parts_of
from gaussequiv.ingredients.channels.sign import Sign
from gaussequiv.ingredients.targets.base import Target


@dataclass(frozen=True, eq=False)
class DeepNetwork(Target):
    r"""A random network h_l = phi_l(W_l h_{l-1}/sqrt(k_{l-1}) + b_l), S = a.h_L/sqrt(k_L) + b_out, and its labels.

    Parameters
    ----------
    activations : name, function, Activation, or a sequence of them
        One for each hidden layer, lowest first. A single one is repeated `depth` times. An empty sequence is the linear
        target, depth 0.
    depth : int, optional
        Number of hidden layers when `activations` is a single one (default 1).
    weight_variance, bias_variance : float or sequence of float
        Variance of the entries of W_l and of b_l, hidden layers only. tanh with weight variance 4 is tanh(2x).
    readout_variance, readout_bias_variance : float
        Variance of the entries of the readout a and of its bias.
    task : {"regression", "classification"}
        y = S + sqrt(noise) z, or y = sign(S + sqrt(noise) z) with all the noise inside the sign.
    noise : float
        Variance of the label noise.
    labels : str, function, Link or channel, optional
        Binary labels of another law: "sign" (with noise: probit), "logit[:SCALE]", "random[:PROBABILITY]", a function z -> P(y = +1 | z);
        real labels: "abs", "relu", "quantised:T1/T2/...", "poisson[:SCALE]"; or a whole channel such as `Binary`,
        `Output`, `LogLikelihood`. It implies the task.
    flips : float or (float, float)
        Probability that a binary label is flipped after it was drawn: one for both, or of +1 and of -1 labels.
    widths : sequence of int, optional
        Widths of the hidden layers, used by the simulation only: they do not enter the limit.
    width_ratios : float or sequence of float
        Widths over the input dimension, where `widths` is not given.
    offset : float, optional
        The constant part b0 of the target. By default it is what the network's law makes it, N(0, offset_variance), and
        classification curves average over that law; a number conditions on it in theory and in simulation.

    Validity: odd C^2 activations with bounded derivatives, Gaussian weights and inputs, noise > 0: theorem (Camilli, Tieplova,
    Bergamin, Barbier 2025, Theorem 1 and Corollary 3). Anything else: replica result or extension verified numerically.

    Examples
    --------
    >>> DeepNetwork("tanh", depth=2, weight_variance=4).depth
    2
    """

    activations: Any = ("tanh",)
    depth: int | None = None
    weight_variance: Any = 1.0
    bias_variance: Any = 0.0
    readout_variance: float = 1.0
    readout_bias_variance: float = 0.0
    task: str = "regression"
    noise: float = 0.0
    labels: Any = None
    flips: Any = 0.0
    widths: Sequence[int] | None = None
    width_ratios: Any = 1.4
    offset: float | None = None
    layers: tuple[acts.Activation, ...] = field(init=False, default=())
    _channel: Any = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        layers = layers_of(self.activations, self.depth, minimum=0)
        put, depth = set_layers(self, layers), len(layers)
        put("readout_variance", number("readout_variance", self.readout_variance, positive=True))
        put("readout_bias_variance", number("readout_bias_variance", self.readout_bias_variance, nonnegative=True))
        choice("task", self.task, ("regression", "classification"))
        put("noise", number("noise", self.noise, nonnegative=True, meaning="It is the variance of the label noise."))
        if isinstance(self.labels, Binary):  # its parts, which a saved result can keep
            if self.noise or np.any(np.asarray(self.flips, dtype=float) != 0):
                raise fail("labels", "given without noise and flips when it is a channel: they belong to it", self.labels)
            put("noise", self.labels.noise)
            put("flips", self.labels.flips)
            link = self.labels.link
            put("labels", str(link) if link.named else link)
        elif isinstance(self.labels, RealLabel) and not self.noise and (parts := parts_of(self.labels)) is not None:
            put("labels", parts[0])
            put("noise", parts[1])
        put("_channel", self._build_channel())
        put("task", str(self._channel.task))
        put("flips", tuple(self.flips) if np.ndim(self.flips) else float(self.flips))
        put("width_ratios", per_layer("width_ratios", self.width_ratios, depth, positive=True))
        if self.widths is not None:
            widths = (self.widths,) * depth if np.ndim(self.widths) == 0 else tuple(self.widths)
            if len(widths) != depth:
                raise fail("widths", f"a sequence of {depth} integers, one for each hidden layer", self.widths)
            put("widths", tuple(integer(f"widths[{i}]", k, minimum=1) for i, k in enumerate(widths)))
        if self.offset is not None:
            put("offset", number("offset", self.offset, meaning="It is the constant part of the target."))

    def _build_channel(self) -> Channel:
        flipped = np.any(array("flips", self.flips, meaning="It is the probability of a flipped label.") != 0)
        if given.is_channel(self.labels):
            if flipped or self.noise:
                raise fail("labels", "given without noise and flips when it is a channel: they belong to it", self.labels)
            return given.get(self.labels)
        if isinstance(self.labels, str) and (named := named_channel(self.labels, self.noise)) is not None:
            if flipped:
                raise fail("flips", "0 for real labels: only binary labels can be flipped", self.flips)
            return named
        if self.labels is None and self.task == "regression":
            if flipped:
                raise fail("flips", "0 for regression: only binary labels can be flipped", self.flips)
            return GaussianNoise(self.noise)
        if self.labels in (None, "sign", "probit") and not flipped:
            return Sign(self.noise)
        return Binary("sign" if self.labels is None else self.labels, self.noise, self.flips)

    @property
    def channel(self) -> Any:
        """P(y given local field), with the label noise: a `Channel`, more exactly `GaussianNoise`, `Sign`, `Binary` or `Output`."""
        return self._channel

    def to_dict(self) -> dict[str, Any]:
        """The description that saved results carry: functions and label laws by name."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        if self.labels is not None and not isinstance(self.labels, str):
            plain["labels"] = str(self.channel if given.is_channel(self.labels) else self.channel.link)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}

    def widths_at(self, d: int) -> tuple[int, ...]:
        """Widths of the hidden layers in a simulation with d inputs."""
        if self.widths is not None:
            return tuple(self.widths)
        return tuple(max(1, round(r * d)) for r in self.width_ratios)

    def sample(self, rng: np.random.Generator, d: int, *, normalise: bool = False) -> SampledNetwork:
        """Draw all weights. `normalise` rescales the readout to its expected norm, which reduces the variance over teachers."""
        sizes = (d, *self.widths_at(d))
        weights, biases = [], []
        for layer, (fan_in, width) in enumerate(pairwise(sizes)):
            scale = np.sqrt(self.weight_variance[layer] / fan_in)
            weights.append(scale * rng.standard_normal((fan_in, width)))
            biases.append(np.sqrt(self.bias_variance[layer]) * rng.standard_normal(width))
        readout = np.sqrt(self.readout_variance / sizes[-1]) * rng.standard_normal(sizes[-1])
        if normalise:
            readout *= np.sqrt(self.readout_variance) / np.linalg.norm(readout)
        bias = float(np.sqrt(self.readout_bias_variance) * rng.standard_normal())
        return SampledNetwork(self.layers, tuple(weights), tuple(biases), readout, bias)


@dataclass(frozen=True)
class SampledNetwork:
    """One network with its weights: call it on rows of inputs to get the local field S."""

    layers: tuple[acts.Activation, ...]
    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]
    readout: FloatArray
    bias: float

    def __call__(self, x: FloatArray) -> FloatArray:
        for activation, weight, bias in zip(self.layers, self.weights, self.biases, strict=True):
            x = activation(x @ weight + bias)
        return x @ self.readout + self.bias
