r"""Mean, Omega and Phi of any generator from samples, in float64, as many as a relative error asks for.

Latents are known exactly, so that what is linear in them needs no estimate: with S the sums over n samples about their means,

    Phi = S_xc S_cc^(-1),   E x = mean(x) - Phi mean(c),   R = (S_xx - Phi S_cc Phi')/(n - D - 1),
    Omega = Phi Phi' + (1 - tr(S_cc^(-1))) R

(regression on the latents; the factor takes out what the error of Phi adds to Phi Phi'). A linear generator is exact from D + 2 samples on,
any other has the error of its nonlinear part alone. Two halves of the samples are kept apart, and half their distance is the error.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import linalg

from gaussequiv._memory import FLOAT, require_memory
from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.generators.base import GeneratorMoments
from gaussequiv.numerics.keys import MOMENTS
from gaussequiv.store import checkpoint

BLOCK = 1024  # latents that share a random key
LEAST = 4  # samples of a half for each latent before its error is believed
KEPT_EVERY = 30.0  # seconds
SUMS = ("x", "c", "xx", "xc", "cc")


class Sums(NamedTuple):
    """Sums over samples, the outputs less a fixed centre: n, x (N,), c (D,), xx (N, N; its upper triangle), xc (N, D), cc (D, D)."""

    n: int
    x: FloatArray
    c: FloatArray
    xx: FloatArray
    xc: FloatArray
    cc: FloatArray

    def __add__(self, other: Any) -> Any:
        return Sums(*(mine + its for mine, its in zip(self, other, strict=True)))


def no_samples(N: int, D: int) -> Sums:
    """The sums over nothing."""
    return Sums(0, np.zeros(N), np.zeros(D), np.zeros((N, N), order="F"), np.zeros((N, D)), np.zeros((D, D)))


def added(sums: Sums, x: FloatArray, c: FloatArray) -> Sums:
    """In place, but for the number of samples."""
    sums.x[:] += x.sum(axis=0)
    sums.c[:] += c.sum(axis=0)
    xx = linalg.blas.dsyrk(1.0, x.T, beta=1.0, c=sums.xx, overwrite_c=1)  # half the products, and no array beside
    sums.xc[:] += x.T @ c
    sums.cc[:] += c.T @ c
    return sums._replace(n=sums.n + len(x), xx=xx)


def moments_of(sums: Sums, centre: FloatArray) -> GeneratorMoments:
    """The estimates of the module's first lines."""
    n, D = sums.n, sums.c.size
    x, c = sums.x / n, sums.c / n
    scatter = sums.cc - n * np.outer(c, c)
    cross = sums.xc - n * np.outer(x, c)
    inverse = linalg.inv(scatter)
    phi = cross @ inverse
    upper = np.triu(sums.xx)
    rest = (upper + np.triu(upper, 1).T - n * np.outer(x, x) - cross @ phi.T) / (n - D - 1)
    omega = phi @ phi.T + (1 - float(np.trace(inverse))) * rest
    return GeneratorMoments(centre + x - phi @ c, 0.5 * (omega + omega.T), phi, samples=n)


def streamed_moments(
    rows: Callable[[FloatArray], FloatArray],
    dimension: int,
    latent_dim: int,
    *,
    tolerance: float,
    max_samples: int,
    seed: int,
    path: Path | None = None,
    header: dict[str, Any] | None = None,
    tell: Callable[[int, float], None] | None = None,
) -> GeneratorMoments:
    """Moments with relative errors of at most `tolerance`, or those of `max_samples` samples.

    Parameters
    ----------
    rows : latents (rows, D) -> outputs (rows, N)
    path : Path, optional
        Where the sums are kept every half minute and whenever the number of samples has doubled: a later call goes on from there, to the
        same last bit.
    header : dict, optional
        What else tells one generator from another in that file.
    tell : (samples, error) -> None, optional
        Called after every block of samples, with the error that is known by then (infinite before the first).
    """
    N, D = dimension, latent_dim
    require_memory(FLOAT * 4.0 * (N + D) ** 2, "function", f"{N} outputs", "the covariances of its outputs")
    header = {"kind": "moments", "N": N, "D": D, "seed": seed} | (header or {})
    centre = rows(_latents(seed, 0, D)).mean(axis=0)
    halves, done = [no_samples(N, D), no_samples(N, D)], 0
    if path is not None and path.exists():
        halves, done = _kept(path, header)
    mark = 2 * -(-LEAST * (D + 1) // BLOCK)
    most = max(max_samples // BLOCK // 2 * 2, mark)
    kept, error = time.monotonic(), np.inf
    while True:
        while done < mark:
            c = _latents(seed, done, D)
            halves[done % 2] = added(halves[done % 2], rows(c) - centre, c)
            done += 1
            if path is not None and (done == mark or time.monotonic() > kept + KEPT_EVERY):
                _keep(path, header, halves, done)
                kept = time.monotonic()
            if tell is not None and done < mark:
                tell(done * BLOCK, error)
        known = _estimated(halves, centre)
        error = max(known.omega_error, known.phi_error)
        if tell is not None:
            tell(known.samples, error)
        if error <= tolerance or done >= most:
            return known
        mark = min(2 * mark, most)


def _latents(seed: int, block: int, D: int) -> FloatArray:
    return np.random.default_rng((seed, MOMENTS, block)).standard_normal((BLOCK, D))


def _estimated(halves: list[Sums], centre: FloatArray) -> GeneratorMoments:
    one, other = (moments_of(half, centre) for half in halves)
    found = moments_of(halves[0] + halves[1], centre)
    size = float(np.linalg.norm(found.omega)) or 1.0
    spread = float(np.sqrt(np.trace(found.omega))) or 1.0
    return found._replace(
        omega_error=float(np.linalg.norm(one.omega - other.omega)) / (2 * size),
        phi_error=float(np.linalg.norm(one.phi - other.phi)) / (2 * spread),
    )


def _keep(path: Path, header: dict[str, Any], halves: list[Sums], blocks: int) -> None:
    arrays = {f"{name}{i}": half._asdict()[name] for i, half in enumerate(halves) for name in SUMS}
    checkpoint.write(path, header, arrays | {"n": [half.n for half in halves], "blocks": blocks})


def _kept(path: Path, header: dict[str, Any]) -> tuple[list[Sums], int]:
    stored, arrays = checkpoint.read(path, "cache")
    checkpoint.same_call(path, stored, header, "cache")
    halves = [Sums(int(n), *(np.asfortranarray(arrays[f"{name}{i}"]) for name in SUMS)) for i, n in enumerate(arrays["n"])]
    return halves, int(arrays["blocks"])
