"""The printable card of a Gaussian equivalent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gaussequiv.equivalence.validity import spectrum_summary
from gaussequiv.ingredients.channels.gaussian import GaussianNoise

if TYPE_CHECKING:
    from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent


def render(equivalent: GaussianEquivalent) -> str:
    """Per layer: sigma, K0, kappa0, kappa1, kappa_star^2, the signal left and the noise added; then the whole."""
    e = equivalent
    lines = ["Gaussian equivalent", f"  inputs            {e.inputs}"] if e.inputs else ["Gaussian equivalent"]
    if e.student:
        lines.append(f"  student           {e.student}")
        lines.append(f"  p/d               {e.aspect:.6g}" + (f"  (kernel; nugget {e.nugget:.6g})" if e.nugget else ""))
    lines.append(f"  spectrum          {spectrum_summary(e.eigenvalues, e.weights)}")
    if e.layers:
        head = ("layer", "sigma", "K0", "kappa0", "kappa1", "kappa*^2", "signal left", "noise added")
        lines.append("  " + f"{head[0]:<18}" + "".join(f"{h:>13}" for h in head[1:]))
        total = e.noise - e.channel.noise - e.unexplained
        for number, (layer, added) in enumerate(zip(e.layers, e.effective_noise, strict=True), start=1):
            row = (layer.sigma, layer.shared, layer.kappa0, layer.kappa1, layer.kappa_star2, layer.signal, added)
            lines.append("  " + f"{number} {layer.activation[:15]:<16}" + "".join(f"{_zero(v):>13.6g}" for v in row))
        lines.append("  signal left: squared slope after the layer; noise added: variance at the network's output")
        lines.append(f"  noise of the layers, in all    {total:.10g}")
    lines += [
        f"  signal variance   {e.signal_variance:.10g}",
        f"  label noise       {e.channel.noise:.10g}" + _noise_note(e),
        f"  offset variance   {e.offset_variance:.10g}" + (f"  (given offset {e.offset:g})" if e.offset is not None else ""),
        _lam_line(e),
        f"  irreducible error {e.floor:.10g}  ({_floor_words(e)})",
    ]
    if e.validity is not None:
        lines.append(f"  validity          {e.validity.status}: {e.validity.reason}")
        lines += [f"      {'yes' if holds else 'no '}  {text}" for text, holds in e.validity.hypotheses]
    return "\n".join(lines)


def _zero(value: float) -> float:
    return 0.0 if abs(value) < 1e-13 else value


def _noise_note(e: GaussianEquivalent) -> str:
    """What labels of another law than Gaussian noise leave open, given the field."""
    if e.channel.task != "regression" or isinstance(e.channel, GaussianNoise):
        return ""
    b0, mass = e.offset_nodes()
    left = e.channel.label_moments(b0, float(e.weights @ e.signal_modes) + e.model_noise).noise @ mass
    return f"  (labels {e.channel}: variance given the field {float(left):.10g})"


def _lam_line(e: GaussianEquivalent) -> str:
    if not e.matched:
        return f"  unreachable       {e.unexplained:.10g}  (signal that these features cannot express; the best lambda depends on n/d)"
    name = "lambda* = tau/s - nugget " if e.nugget else "lambda* = tau/s   "
    return f"  {name}{e.lam_optimal:.10g}" + _lam_note(e)


def _lam_note(e: GaussianEquivalent) -> str:
    if e.slope2 == 0:
        return "  (no linear part: the best predictor is the constant)"
    if np.isnan(e.lam_optimal):
        return "  (over the offset's law the best lambda of these labels depends on n/d)"
    if e.lam_optimal < 0:
        return "  (negative: Ridge('optimal', constrain=True) gives the best lambda >= 0)"
    if e.channel.task == "regression":
        return "" if isinstance(e.channel, GaussianNoise) else "  (noise and slope of the labels, not of the field)"
    return "  (square loss on the field; labels have their own optimum)"


def _floor_words(e: GaussianEquivalent) -> str:
    if e.channel.task == "regression":
        return "mean squared error for n/d -> infinity, at n ~ d"
    return "misclassification for n/d -> infinity, at n ~ d"
