"""What is drawn once for all trials: generator, teacher and the student's first weights; and their modes, on which the equations run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.generators.base import DrawnGenerator, Generator, GeneratorMoments, checked_moments, non_negative
from gaussequiv.numerics.keys import GENERATOR, STUDENT, TEACHER
from gaussequiv.problems.online_sgd.modes import ModeBasis, Modes
from gaussequiv.problems.online_sgd.two_layer import TwoLayer

if TYPE_CHECKING:
    from gaussequiv.problems.online_sgd.description import OnlineSGD


@dataclass(frozen=True, eq=False)
class Instance:
    """The generator with its moments (None: identities), B (M, D), A (M,), w (K, N) and v (K,) of the start.

    Where the teacher sees the inputs in place of the latents (`direct`), B is (M, N), and Omega takes the places of Phi and of Cov(c) = I.
    """

    generator: DrawnGenerator
    moments: GeneratorMoments | None
    B: FloatArray
    A: FloatArray
    w: FloatArray
    v: FloatArray
    direct: bool = False

    @property
    def seen(self) -> int:
        """Dimension of what the teacher sees, D or N."""
        return int(self.B.shape[1])

    @property
    def delta(self) -> float:
        """D/N; 1 where the teacher sees the inputs."""
        return self.seen / self.generator.dimension

    @cached_property
    def T(self) -> FloatArray:
        """Covariance of the teacher's fields: B B'/D, or B Omega B'/N."""
        B = self.B if self.moments is None or not self.direct else self.B @ self.moments.omega
        return B @ self.B.T / self.seen

    @cached_property
    def towards(self) -> FloatArray:
        """Covariance of the inputs with the teacher's fields, times sqrt(D): Phi B' (or Omega B', B'), shape (N, M)."""
        if self.moments is None:
            return self.B.T
        return (self.moments.omega if self.direct else self.moments.phi) @ self.B.T

    def overlaps(self, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Q = w Omega w'/N and R = w Phi B'/sqrt(N D) of weights (K, N)."""
        N = self.generator.dimension
        own = w if self.moments is None else w @ self.moments.omega
        return own @ w.T / N, w @ self.towards / np.sqrt(N * self.seen)

    def densities(self, weights: FloatArray, box: NDArray[np.intp] | None = None) -> tuple[FloatArray, FloatArray]:
        """What each eigenvalue, or each bin of them, adds to Q and R of weights (records, K, N): (records, modes, K, K or M)."""
        each = [self.basis.densities(w, self.towards, self.seen) for w in weights]
        q, r = (np.array([one[i] for one in each]) for i in (0, 1))
        if box is None:
            return q, r
        starts = np.append(0, np.flatnonzero(np.diff(box)) + 1)
        return np.add.reduceat(q, starts, axis=1), np.add.reduceat(r, starts, axis=1)

    @cached_property
    def twin_root(self) -> FloatArray:
        """(Omega - Phi Phi')^(1/2), as its transpose times rows xi: what the Gaussian twin has beside the latents."""
        if self.moments is None:
            return np.zeros((0, 0))
        variances, vectors = np.linalg.eigh(self.moments.omega - self.moments.phi @ self.moments.phi.T)
        root: FloatArray = (vectors * np.sqrt(np.maximum(variances, 0.0))).T
        return root

    @cached_property
    def basis(self) -> ModeBasis:
        """Eigenvalues of Omega that differ, and its eigenvectors."""
        if self.moments is None:
            return ModeBasis.of(np.ones(self.w.shape[1]), None)
        rho, vectors = np.linalg.eigh(self.moments.omega)
        return ModeBasis.of(non_negative(rho, self.moments.samples), vectors)

    @cached_property
    def modes(self) -> Modes:
        """Those of the start; modes of equal eigenvalue are one."""
        return self.basis.modes(self.w, self.towards)


def instance_of(problem: OnlineSGD, size: int) -> Instance:
    """The instance of N = size that all trials share; the last one is kept, for further rates, times and trials."""
    return _drawn(problem.generator, problem.teacher, problem.student, problem.instance, size, problem.teacher_sees == "inputs")


@lru_cache(maxsize=1)
def _drawn(law: Generator, teacher: TwoLayer, student: TwoLayer, instance: int, size: int, direct: bool) -> Instance:
    def rng(purpose: int) -> np.random.Generator:
        return np.random.default_rng((instance, size, purpose))

    generator = law.draw(size, rng(GENERATOR))
    N, D = generator.dimension, generator.latent_dim
    of_teacher, of_student = rng(TEACHER), rng(STUDENT)
    B = teacher.weight_std * of_teacher.standard_normal((teacher.units, N if direct else D))
    w = student.weight_std * of_student.standard_normal((student.units, N))
    A, v = teacher.draw_readout(of_teacher), student.draw_readout(of_student)
    return Instance(generator, None if generator.isotropic else checked_moments(generator), B, A, w, v, direct)


def cosines(Q: FloatArray, R: FloatArray, T: FloatArray) -> FloatArray:
    """R_km/sqrt(Q_kk T_mm), shape (..., K, M); 0 where a field does not vary."""
    size = np.sqrt(np.maximum(np.diagonal(Q, axis1=-2, axis2=-1), 0.0)[..., None] * np.diag(T))
    return np.divide(R, size, out=np.where(np.isfinite(size), 0.0, np.nan), where=size > 0)


def specialisation(cosine: FloatArray) -> FloatArray:
    """Largest |cosine| of a unit less the second largest (0 for one unit of the teacher), mean over the student's units, shape (...)."""
    ranked = np.sort(np.abs(cosine), axis=-1)
    second = ranked[..., -2] if ranked.shape[-1] > 1 else 0.0
    return np.asarray(np.mean(ranked[..., -1] - second, axis=-1))
