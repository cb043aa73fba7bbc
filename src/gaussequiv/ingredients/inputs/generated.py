r"""`GeneratorInputs`: inputs drawn from a generative model, labels by its latents or by the inputs themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from gaussequiv.errors import FloatArray, choice, fail, integer
from gaussequiv.ingredients.generators.base import DrawnGenerator, Generator, checked_moments, checked_outputs, non_negative
from gaussequiv.ingredients.generators.function import FunctionGenerator
from gaussequiv.ingredients.generators.random_layers import RandomGenerator
from gaussequiv.ingredients.inputs.base import BLOCK, GaussianInputs, Inputs, Rows
from gaussequiv.numerics.keys import GENERATOR

SEEN = ("latents", "inputs")
SIZE = 1000  # N of the draw that stands for the limit, where the generator does not fix it


@dataclass(frozen=True, eq=False)
class GeneratorInputs(Inputs):
    r"""x = G(c) - E G(c) in R^N, c ~ N(0, I_D): learners see x, the target sees the latents c (or x).

    Parameters
    ----------
    generator : Generator or function
        ``RandomGenerator("sign", latent_ratio=0.5)``, a `FunctionGenerator`, or what one can be made of (see there): any function of NumPy
        or JAX arrays, an Equinox module, a PyTorch module in evaluation mode.
    latent_dim : int, optional
        D, for a function.
    target_sees : "latents" or "inputs"
        Whose function the labels are. On the latents the target's field is that of D independent Gaussian inputs.
    centred : bool
        Whether the mean is subtracted; otherwise its direction acts as an intercept, as large as in the draw of `size`.
    size : int
        N of the draw that stands for a random generator where no d is given; otherwise N is d.
    seed : int
        Of a random generator's weights, which theory and all trials share.
    normalise : bool
        Divide x by one number, so that tr(Omega)/N = 1: what the units of the generator mean for a penalty is taken out.

    d is N, alpha is n/N. Learners need Omega = Cov(x) and Phi = Cov(x, c) alone: with Omega psi_i = w_i psi_i and s the target's squared
    slope, the alignment of mode i is s (N/D) |psi_i' Phi|^2, and what x does not say linearly of the field,
    s (1 - tr(Phi' Omega^-1 Phi)/D), is noise. `BayesOptimal` is refused for labels of the latents: what x says of c beyond its linear
    part is not known.

    Validity: Goldt, Loureiro, Reeves, Krzakala, Mezard, Zdeborova 2020 (Theorem 1 for one random layer; for trained and deep generators a
    conjecture with experiments, which few dominant latents or outputs break).

    Examples
    --------
    >>> import gaussequiv as ge
    >>> inputs = GeneratorInputs(ge.RandomGenerator("sign", latent_ratio=0.5), size=200)
    >>> problem = ge.Problem(ge.LinearTarget(task="classification"), inputs, ge.Logistic(0.1))
    >>> bool(ge.solve(problem, alpha=[2.0]).test_error[0] < 0.4)
    True
    """

    generator: Any
    latent_dim: int | None = None
    target_sees: str = "latents"
    centred: bool = True
    size: int = SIZE
    seed: int = 0
    normalise: bool = False
    citations: tuple[str, ...] = field(init=False, default=("goldt2020",))
    _drawn: dict[int, GeneratedModes] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        generator = self.generator
        if not isinstance(generator, Generator):
            if not callable(generator) or isinstance(generator, type):
                expected = (
                    "a Generator (RandomGenerator('sign'), load_generator('digits-vae')), or a function of latents with its latent_dim"
                )
                raise fail("generator", expected, generator)
            if self.latent_dim is None:
                raise fail("latent_dim", "given together with a function", None, "latent_dim is D, the number of the latents.")
            generator = FunctionGenerator(generator, self.latent_dim)
        elif self.latent_dim is not None:
            raise fail("latent_dim", "left out for a Generator, which knows it", self.latent_dim)
        object.__setattr__(self, "generator", generator)
        object.__setattr__(self, "latent_dim", None)
        choice("target_sees", self.target_sees, SEEN)
        for name in ("centred", "normalise"):
            if not isinstance(vars(self)[name], bool):
                raise fail(name, "True or False", vars(self)[name])
        object.__setattr__(self, "size", integer("size", self.size, minimum=2))
        object.__setattr__(self, "seed", integer("seed", self.seed, minimum=0))

    def __str__(self) -> str:
        labels = "latents" if self.target_sees == "latents" else "generated inputs"
        return f"{self.generator}; the target sees the {labels}" + (
            ("" if self.centred else "; not centred") + ("; normalised" if self.normalise else "")
        )

    @property
    def dimension(self) -> int | None:
        return self.generator.dimension

    def at(self, d: int | None) -> GeneratedModes:
        """The generator of N = d outputs with its moments, drawn once."""
        size = d if d is not None else self.dimension or self.size
        if size not in self._drawn:
            drawn = self.generator.draw(size, np.random.default_rng((self.seed, size, GENERATOR)))
            self._drawn.clear()  # matrices of one size at a time
            self._drawn[size] = _modes_of(drawn, self.normalise)
        return self._drawn[size]

    @cached_property
    def mean_square(self) -> float:
        return 0.0 if self.centred else float(np.mean(self.at(None).mean ** 2))

    @property
    def independent(self) -> bool:
        return False

    @cached_property
    def seen_by_target(self) -> Inputs:
        return GaussianInputs() if self.target_sees == "latents" else self

    def seen_dimension(self, d: int) -> int:
        return self.at(d).generator.latent_dim if self.target_sees == "latents" else d

    def modes(self, d: int | None) -> tuple[FloatArray, FloatArray]:
        values = self.at(d).values
        return values, np.full(values.size, 1 / values.size)

    def overlap(self, d: int | None) -> FloatArray:
        found = self.at(d)
        if self.target_sees == "inputs":
            return found.values**2
        part, D = found.vectors.T @ found.phi, found.generator.latent_dim
        square, noise = np.einsum("ij,ij->i", part, part), D / found.samples
        # an estimated Phi has noise of variance w - |psi'Phi|^2 over the samples in each of its D columns, which would count as signal
        return found.values.size / D * np.maximum((square - noise * found.values) / (1 - noise), 0.0)

    def hypotheses(self) -> tuple[tuple[str, bool], ...]:
        layers = self.generator.activations if isinstance(self.generator, RandomGenerator) else ()
        one = isinstance(self.generator, RandomGenerator) and len(layers) <= 1
        smooth = (("an activation twice differentiable with bounded derivatives", all(layer.smooth for layer in layers)),) if one else ()
        return (("a generator of one random layer", one), *smooth, ("the target sees the latents", self.target_sees == "latents"))

    def cross(self, d: int) -> FloatArray | None:
        return self.at(d).phi if self.target_sees == "latents" else None

    def rows(self, key: tuple[int, ...], d: int, train: int, test: int) -> GeneratedRows:
        return GeneratedRows(self, key, d)

    def centre(self, d: int) -> FloatArray:
        return np.zeros(d) if self.centred else self.at(d).mean

    def whiten(self, d: int) -> tuple[FloatArray | None, FloatArray]:
        found = self.at(d)
        return found.vectors, found.values

    def to_dict(self) -> dict[str, Any]:
        plain = ("target_sees", "centred", "size", "seed", "normalise")
        return {"kind": "generator", "generator": self.generator.to_dict()} | {name: vars(self)[name] for name in plain}


class GeneratedModes(NamedTuple):
    """A generator, and of its outputs over `scale`: their mean, Phi, the eigenvalues (descending) and eigenvectors of Omega; samples of
    estimated moments (infinite: exact).
    """

    generator: DrawnGenerator
    mean: FloatArray
    phi: FloatArray
    values: FloatArray
    vectors: FloatArray
    samples: float
    scale: float


def _modes_of(drawn: DrawnGenerator, normalise: bool) -> GeneratedModes:
    moments = checked_moments(drawn)
    values, vectors = np.linalg.eigh(moments.omega)
    values = non_negative(values, moments.samples)
    scale = float(np.sqrt(np.mean(values))) if normalise else 1.0
    samples = moments.samples or np.inf
    return GeneratedModes(
        drawn, moments.mean / scale, moments.phi / scale, values[::-1] / scale**2, vectors[:, ::-1].copy(), samples, scale
    )


class GeneratedRows(Rows):
    """Latents and what the generator makes of them, block by block."""

    def __init__(self, inputs: GeneratorInputs, key: tuple[int, ...], d: int) -> None:
        found = inputs.at(d)
        self.key, self.generator, self.scale = key, found.generator, found.scale
        self.shift = found.mean if inputs.centred else np.zeros(d)

    def seen(self, purpose: int, start: int, stop: int) -> FloatArray:
        """The latents of these rows, of shape (stop - start, D)."""
        rng = np.random.default_rng((*self.key, purpose, start // BLOCK))
        return rng.standard_normal((stop - start, self.generator.latent_dim))

    def block(self, purpose: int, start: int, stop: int) -> FloatArray:
        return checked_outputs(self.generator, self.seen(purpose, start, stop)) / self.scale - self.shift
