"""Psi, the negative entropy of a label, also where the whole field is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray
from gaussequiv.ingredients.channels.quadrature import QuadratureChannel

GROWS = 0.5  # of Psi as what is left falls a thousandfold: log(1000)/2 = 3.5 where a label fixes the field


def known_psi(channel: Any, q: FloatArray | float, V: FloatArray | float, b0: FloatArray | float) -> FloatArray:
    """Psi(q) at remaining variance V >= 0; V = 0 is a limit for channels by quadrature, infinite where Psi grows like -log V.

    With label noise, V far below it stands for 0; without, jumps of the likelihood bend Psi like sqrt(V), which is extrapolated.
    """
    if not isinstance(channel, QuadratureChannel):
        with np.errstate(divide="ignore"):
            return np.asarray(channel.psi(np.asarray(q, float), np.asarray(V, float), np.asarray(b0, float)))
    q, V, b0 = np.broadcast_arrays(*(np.asarray(a, float) for a in (q, V, b0)))
    total = np.where(q + V > 0, q + V, np.maximum(b0**2, 1e-12))  # a field that does not vary: its own size
    if channel.noise > 0:
        return channel.psi(q, np.maximum(V, np.minimum(1e-8 * channel.noise, 1e-12 * total)), b0)
    near, nearer = (channel.psi(q, np.maximum(V, tiny * total), b0) for tiny in (1e-12, 1e-15))
    limit = nearer + (nearer - near) / (np.sqrt(1e3) - 1)
    return np.where(nearer - near > GROWS, np.inf, np.where(V > 1e-12 * total, nearer, limit))
