"""Generative models: equations of online learning beside a NumPy integrator, moments and SGD beside their bare matrix products."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

import gaussequiv as ge
from benchmarks.measure import Row, medians
from gaussequiv.ingredients.generators.streamed_moments import BLOCK, _latents, added, no_samples
from gaussequiv.problems.online_sgd import dynamics
from gaussequiv.problems.online_sgd.instance import instance_of
from gaussequiv.problems.online_sgd.training import SAMPLES, Source, train

END, STEP = 1000.0, 0.01  # 100,000 steps of the published integrators
SOME = 2000  # of them are timed
LARGE = 3072


def problem(N: int) -> ge.OnlineSGD:
    """Four layers of signs, 100 latents (N = 3072) or N/2, two erf(x/sqrt(2)) units on each side, all weights learned."""
    network = ge.TwoLayer("erf", 2, gain=np.sqrt(0.5))
    return ge.OnlineSGD(network, network, ge.RandomGenerator(("sign",) * 4, latent_ratio=100 / LARGE if N == LARGE else 0.5), dimension=N)


def notebook_equations(given: ge.OnlineSGD, N: int, steps: int) -> float:
    """The error after Euler steps of 0.01, all modes in one NumPy array, averages of the error function in closed form."""
    start, fixed = dynamics.posed(given, instance_of(given, N))
    count = instance_of(given, N).modes.rho.size
    rho, share = fixed["rho"][:count], fixed["share"][:count]
    t, q, r = (np.moveaxis(part[..., :count], -1, 0).copy() for part in (fixed["t"], start["q"], start["r"]))
    v = start["v"].copy()
    T, A, eta, root = fixed["T"], fixed["A"], fixed["eta"], np.sqrt(fixed["delta"])
    error = np.nan
    for _ in range(steps):
        Q, R = np.einsum("g,gkl->kl", share * rho, q), np.einsum("g,gkm->km", share, r) / root
        product, slopes, bend, diffusion = erf_averages(np.block([[Q, R], [R.T, T]]), v.size, np.concatenate([v, -A]))
        s = np.concatenate([v, -A])
        error = float(s @ product @ s)
        VH = v[:, None] * (slopes[:, : v.size] * v + np.diag(bend))
        VG = -v[:, None] * slopes[:, v.size :] * A / root
        half = rho[:, None, None] * (VH @ q) + VG @ r.transpose(0, 2, 1)
        dr = rho[:, None, None] * (VH @ r) + VG @ t
        q += STEP * (-eta * (half + half.transpose(0, 2, 1)) + eta**2 * rho[:, None, None] * (v[:, None] * diffusion * v))
        r -= STEP * eta * dr
        v -= STEP * fixed["eta_v"] * (product[: v.size] @ s)
    return error


def erf_averages(C: np.ndarray, K: int, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """E g g, E g' g', E g'' Delta and E g' g' Delta^2 of g = erf(x/sqrt(2)) (Saad and Solla 1995)."""
    one = 1 + np.diag(C)
    flat = one[:, None] * one - C * C
    product = 2 / np.pi * np.arcsin(C / np.sqrt(one[:, None] * one))
    slopes = 2 / np.pi / np.sqrt(flat[:K])
    bend = (-2 / np.pi * C[:K] / (one[:K, None] * np.sqrt(flat[:K]))) @ s
    diffusion = np.zeros((K, K))
    for k in range(K):
        for j in range(K):
            L4 = one[k] * one[j] - C[k, j] ** 2
            for a in range(len(C)):
                for b in range(len(C)):
                    mixed = L4 * C[a, b] - C[j, a] * C[j, b] * one[k] - C[k, a] * C[k, b] * one[j]
                    mixed += C[k, j] * (C[k, a] * C[j, b] + C[k, b] * C[j, a])
                    sides = [L4 * one[c] - C[j, c] ** 2 * one[k] - C[k, c] ** 2 * one[j] + 2 * C[k, j] * C[k, c] * C[j, c] for c in (a, b)]
                    angle = np.arcsin(np.clip(mixed / np.sqrt(sides[0] * sides[1]), -1, 1))
                    diffusion[k, j] += s[a] * s[b] * 4 / np.pi**2 / np.sqrt(L4) * angle
    return product, slopes, bend, diffusion


def equations(N: int) -> Row:
    """The whole curve to t = 1000 with adaptive steps, beside Euler steps (SOME of them, the time of all)."""
    given = problem(N)
    instance_of(given, N).modes  # noqa: B018 - the eigenvectors are the same work on both sides
    times = np.array([SOME * STEP, END])

    def library() -> np.ndarray:
        return ge.solve(given, time=times)["clean_error"].values

    found = library()
    mine, loop = medians(library, lambda: notebook_equations(given, N, SOME), rounds=1, calls=5)
    other = notebook_equations(given, N, SOME)
    scale = END / (SOME * STEP)
    # aim: ten times a published C++ integrator, which takes 0.8 ms a step at N = 3072
    aim = {"below": 0.8e-3 * END / STEP / 10} if N == LARGE else {"least_ratio": 10.0}
    return Row(f"online SGD equations, N = {N}, t = {END:g}", mine, reference=loop * scale, difference=abs(found[0] - other), **aim)


def moments() -> Row:
    """4,096 samples of four layers of signs, 100 latents to 3,072 outputs, beside their matrix products alone."""
    drawn = problem(LARGE).generator.draw(LARGE, np.random.default_rng(0))
    D, blocks = drawn.latent_dim, 4
    sums, bare = no_samples(LARGE, D), np.zeros((LARGE, LARGE), order="F")
    c = _latents(0, 0, D)
    x = drawn.outputs(c)

    def library() -> None:
        nonlocal sums
        for block in range(blocks):
            latents = _latents(0, block, D)
            sums = added(sums, drawn.outputs(latents), latents)

    def products() -> None:
        from scipy.linalg.blas import dsyrk

        for _ in range(blocks):
            for F in drawn.weights:
                c @ F.T
            dsyrk(1.0, x.T, beta=1.0, c=bare, overwrite_c=1)
            x.T @ c, c.T @ c

    mine, floor = medians(library, products, rounds=3, calls=3)
    return Row(f"moments, {blocks * BLOCK} samples, N = {LARGE}, beside their matrix products", mine, reference=floor, least_ratio=0.8)


def training() -> Row:
    """1,024 steps of SGD at N = 3072, samples of the generator included, beside the samples and the steps' two products."""
    given = replace(problem(LARGE), dimension=LARGE)
    instance = instance_of(given, LARGE)
    source = Source(given, instance, False, (0, 0))
    steps = np.array([SAMPLES])
    x, *_ = source.block(0, 42)

    def products() -> None:
        source.block(0, 42)
        w = instance.w.copy()
        for row in x:
            w -= 1e-9 * np.outer(w @ row, row)

    train(given, instance, source, steps)
    mine, floor = medians(lambda: train(given, instance, source, steps), products, rounds=3, calls=3)
    return Row(f"SGD, {SAMPLES} steps, N = {LARGE}, beside samples and products", mine, reference=floor)


def run() -> list[Row]:
    """All rows, one BLAS thread."""
    with threadpool_limits(1):
        return [equations(500), equations(LARGE), moments(), training()]


if __name__ == "__main__":
    from benchmarks.measure import render

    print(render(run()))
