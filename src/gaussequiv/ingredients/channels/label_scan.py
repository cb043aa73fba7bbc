"""What a user's density is like: where it is not smooth, on which scales it varies, whether its noise is additive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gaussequiv.errors import ArgumentError, FloatArray
from gaussequiv.ingredients.channels.label_kinks import Curve, at_fields, common_lines, crossings
from gaussequiv.ingredients.channels.label_law import LabelLaw
from gaussequiv.numerics.kinks import smooth_pieces

TEST_FIELDS = np.array([-2.3017, -0.4143, 0.7071, 1.9134, 3.1172])
_FAR_FIELDS = np.array([-38.3, -9.1, -2.3, -0.4, 0.7, 1.9, 8.3, 30.7])
_SEVERAL = 8  # kinks at one field: beyond, a table is taken for what it is
_SAME = 1e-9
_FIELDS = (-16.3, 17.1)  # between which a likelihood's scale in the field is looked for
_LABELS = 12  # at most this many labels are looked at


def resolved_law(law: LabelLaw, name: str) -> LabelLaw:
    """The law with the kinks that were found beside the declared ones, and the scale on which it varies between them."""
    found, doubts = [], []
    for z in TEST_FIELDS:
        pieces = _pieces(law, float(z), 1e-10)
        if pieces is None or pieces[0].size > _SEVERAL:
            return law
        found.append(pieces[0])
        doubts.append(pieces[1])
    lines, rest = common_lines(TEST_FIELDS, found, doubts)
    lost = [(z, p) for z, p in zip(TEST_FIELDS, rest, strict=True) if p.size]
    if lost:
        where = "; ".join(f"y = {', '.join(f'{y:.5g}' for y in p)} at field {z:.5g}" for z, p in lost)
        raise ArgumentError(
            f"Argument `label_kinks` must say where {name!r} is not smooth in the label: a kink or jump was found near {where}. "
            "These are on no straight line; give functions of the field, as label_kinks=lambda z: np.abs(z)."
        )
    law = replace(law, kinks=(*law.kinks, *lines))
    widths = [pieces[2] for z in TEST_FIELDS if (pieces := _pieces(law, float(z), 1e-8)) is not None]
    return replace(law, resolution=min([law.resolution, *widths]))


def _pieces(law: LabelLaw, z: float, tolerance: float) -> tuple[FloatArray, FloatArray, float] | None:
    """Undeclared kinks of P(. | z), inside the support, with their doubts, and the scale between kinks."""
    edges = law.edges(np.array([z]))[0]
    y = np.sort(np.concatenate([edges, 0.5 * (edges[1:] + edges[:-1])]))
    top = float(law.call(y, np.array(z)).max())
    known = at_fields(law.kinks, np.array([z]))[0]
    low, high = (float(end) for end in np.clip(edges[[0, -1]] + np.array([-0.0131, 0.0173]) * (edges[-1] - edges[0]), *law.support))
    found = smooth_pieces(lambda x: np.exp(law.call(x, np.array(z)) - top), low, high, ends=known, tolerance=tolerance)
    if found is None:
        return None
    limits = np.concatenate([known, np.array([end for end in law.support if np.isfinite(end)])])
    near = np.abs(found.places[:, None] - limits) <= 2 * found.doubts[:, None] + 1e-9 * (1 + np.abs(limits))
    new = ~near.any(axis=1)
    return found.places[new], found.doubts[new], found.width


def is_additive(law: LabelLaw) -> bool:
    """Whether log P(z + t | z) is the same function of t at every field."""
    if np.any(np.isfinite(law.support)):
        return False
    t = law.nodes(np.zeros(1), 3)[0][0]
    at_zero = law.call(t, np.zeros(1))
    used = at_zero > at_zero.max() - 30
    t, at_zero = t[used], at_zero[used]
    values = law.call(_FAR_FIELDS[:, None] + t, _FAR_FIELDS[:, None])
    rough = 64 * np.finfo(float).eps * np.abs(_FAR_FIELDS)[:, None] / law.resolution
    return bool(np.all(np.abs(values - at_zero) <= _SAME * (1 + np.abs(at_zero)) + 30 * rough))


def field_resolution(
    call: Callable[[FloatArray, FloatArray], FloatArray], labels: FloatArray, given: float, kinks: tuple[Curve, ...] = ()
) -> float:
    """The scale on which P(y | z) varies with z between its kinks, at most the one given; not below a hundredth of it."""
    chosen = labels[np.unique(np.linspace(0, labels.size - 1, _LABELS).astype(int))]
    widths = [given]
    z = np.linspace(*_FIELDS, 513)
    for y in chosen:
        values = call(np.array(y), z)
        if not np.any(np.isfinite(values)):
            continue
        top = float(values.max())
        ends = np.concatenate([crossings(kink, z, np.array([y]))[1] for kink in kinks] or [np.empty(0)])

        def share(x: FloatArray, y: float = float(y), top: float = top) -> FloatArray:
            return np.exp(np.minimum(call(np.array(y), x) - top, 50.0))

        found = smooth_pieces(share, *_FIELDS, ends=ends, tolerance=1e-8)
        if found is not None and found.places.size == 0:
            widths.append(found.width)
    return max(min(widths), 1e-2 * given)
