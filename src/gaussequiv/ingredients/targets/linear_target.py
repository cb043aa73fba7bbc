"""A linear target whose weights have any law: the generalised linear model."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.priors import named as priors
from gaussequiv.ingredients.targets.base import Target
from gaussequiv.ingredients.targets.deep_network import DeepNetwork, SampledNetwork


@dataclass(frozen=True, eq=False)
class LinearTarget(Target):
    r"""y ~ P(. | w.x/sqrt(d)) with independent weights w_i ~ P0: a generalised linear model with any prior and any channel.

    Parameters
    ----------
    prior : str, log-density or Prior
        "gaussian[:VARIANCE]", "rademacher", "gauss-bernoulli:DENSITY[:VARIANCE]", "sparse-rademacher:DENSITY", a function
        x -> log density, or a prior such as `LogDensity`.
    task, noise, labels, flips, offset
        As in `DeepNetwork`: Gaussian noise, sign labels, or labels=channel (`AbsoluteValue`, `Relu`, `Quantised`, `Poisson`, `Output`,
        `LogLikelihood`, ...).

    A Gaussian prior is `DeepNetwork` of depth 0. Ridge, and convex learners with
    an L2 or quadratic penalty, see only the prior's second moment; a prior whose mean is not zero therefore needs centred inputs in the
    weights' own coordinates (a spectrum). Penalties with kinks (lasso, elastic net) average over the prior itself (its `mixture`), and the
    Bayes-optimal learner knows all of it.

    Examples
    --------
    >>> LinearTarget("gauss-bernoulli:0.1").readout_variance
    0.1
    """

    prior: Any = "gaussian"
    task: str = "regression"
    noise: float = 0.0
    labels: Any = None
    flips: Any = 0.0
    offset: float | None = None
    _network: DeepNetwork = field(init=False, repr=False, default_factory=lambda: DeepNetwork(()))

    def __post_init__(self) -> None:
        object.__setattr__(self, "prior", priors.get(self.prior))
        network = DeepNetwork(
            (),
            readout_variance=self.prior.second_moment,
            task=self.task,
            noise=self.noise,
            labels=self.labels,
            flips=self.flips,
            offset=self.offset,
        )
        object.__setattr__(self, "_network", network)
        object.__setattr__(self, "readout_variance", float(self.prior.second_moment))
        object.__setattr__(self, "task", network.task)
        object.__setattr__(self, "noise", network.noise)
        object.__setattr__(self, "labels", network.labels)
        object.__setattr__(self, "flips", network.flips)
        object.__setattr__(self, "offset", network.offset)

    layers: tuple[Any, ...] = field(init=False, default=())
    activations: tuple[str, ...] = field(init=False, default=())
    weight_variance: tuple[float, ...] = field(init=False, default=())
    bias_variance: tuple[float, ...] = field(init=False, default=())
    readout_variance: float = field(init=False, default=1.0)  # E w^2
    readout_bias_variance: float = field(init=False, default=0.0)
    depth: int = field(init=False, default=0)

    @property
    def channel(self) -> Any:
        """P(y given local field)."""
        return self._network.channel

    def widths_at(self, d: int) -> tuple[int, ...]:
        """No hidden layers."""
        return ()

    def sample(self, rng: np.random.Generator, d: int, *, normalise: bool = False) -> SampledNetwork:
        """Draw the weights; `normalise` rescales them to their expected norm."""
        weights: FloatArray = self.prior.sample(rng, d) / np.sqrt(d)
        norm = float(np.linalg.norm(weights))
        if normalise and norm > 0:  # sparse weights may all be zero
            weights = weights * (np.sqrt(self.readout_variance) / norm)
        return SampledNetwork((), (), (), weights, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """The description that saved results carry: functions and label laws by name."""
        own = {f.name for f in fields(self) if f.init}
        kept = {key: value for key, value in self._network.to_dict().items() if key in own}
        return {"kind": "linear", "prior": self.prior.name} | kept
