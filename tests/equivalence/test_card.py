"""The card in full: every number where it belongs, and the notes of every kind of label and student."""

from dataclasses import replace

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent
from gaussequiv.ingredients.channels.base import GaussianNoise, Sign
from gaussequiv.ingredients.channels.outputs import Relu


def plain(channel, **changes):
    e = GaussianEquivalent(
        eigenvalues=np.array([0.5, 2.0]),
        weights=np.array([0.75, 0.25]),
        alignment=np.array([0.25, 4.0]),
        signal_variance=0.875,
        effective_noise=np.zeros(0),
        offset_variance=0.0,
        channel=channel,
    )
    return replace(e, **changes)


def line(e, name):
    (found,) = [text for text in e.card().splitlines() if text.startswith(f"  {name}")]
    return found.removeprefix(f"  {name}").strip()


def test_a_linear_target_line_by_line():
    lines = plain(GaussianNoise(0.25), inputs="two levels").card().splitlines()
    assert lines[0] == "Gaussian equivalent" and lines[1] == "  inputs            two levels" and lines[2].startswith("  spectrum    ")
    assert lines[3:] == [
        "  signal variance   0.875",
        "  label noise       0.25",
        "  offset variance   0",
        "  lambda* = tau/s   0.25",
        "  irreducible error 0.25  (mean squared error for n/d -> infinity, at n ~ d)",
    ]


def test_layers_are_listed_with_what_they_leave_and_add():
    e = ge.Problem(ge.DeepNetwork(("tanh", "relu"), weight_variance=4, noise=0.3, offset=0.4)).equivalent()
    lines = e.card().splitlines()
    rows = [text.split() for text in lines if text.startswith(("  1 ", "  2 "))]
    for number, (row, layer, added) in enumerate(zip(rows, e.layers, e.effective_noise, strict=True), start=1):
        assert row[:2] == [str(number), layer.activation]
        values = (layer.sigma, layer.shared, layer.kappa0, layer.kappa1, layer.kappa_star2, layer.signal, added)
        assert [float(v) for v in row[2:]] == pytest.approx(values, rel=1e-5, abs=1e-12)
    assert float(line(e, "noise of the layers, in all")) == pytest.approx(e.effective_noise.sum(), rel=1e-9)
    assert "-0 " not in e.card() and line(e, "offset variance").endswith("(given offset 0.4)")
    validity = [text.strip()[:3] for text in lines[-len(e.validity.hypotheses) :]]
    assert validity == ["yes" if holds else "no " for _, holds in e.validity.hypotheses]


def test_notes():
    assert line(plain(GaussianNoise(0.25), nugget=0.1), "lambda* = tau/s - nugget") == "0.15"
    negative = line(plain(GaussianNoise(0.25), nugget=0.7), "lambda* = tau/s - nugget")
    assert negative.startswith("-0.45 ") and "constrain=True" in negative
    signs = plain(Sign(0.25))
    assert "labels have their own optimum" in line(signs, "lambda* = tau/s")
    assert line(signs, "irreducible error").endswith("(misclassification for n/d -> infinity, at n ~ d)")
    assert line(signs, "label noise") == "0.25"
    assert "best predictor is the constant" in line(plain(GaussianNoise(0.25), alignment=np.zeros(2), signal_variance=0.0), "lambda*")
    features = plain(GaussianNoise(0.25), alignment=np.array([0.25, 1.0]), student="features", aspect=1.5, signal_variance=0.8)
    assert line(features, "unreachable").startswith(f"{0.8 - 0.75 * 0.5 - 0.25 * 0.5:.10g} ")
    assert line(features, "student") == "features" and line(features, "p/d") == "1.5"
    kernel = replace(features, nugget=0.3)
    assert line(kernel, "p/d") == "1.5  (kernel; nugget 0.3)"


def test_labels_of_a_function_say_what_they_leave_open():
    """relu(field) + noise: nothing but the noise is open given the field."""
    e = plain(Relu(0.2))
    assert "variance given the field 0.2)" in line(e, "label noise") and "not of the field" in line(e, "lambda* = tau/s")
    averaged = replace(e, offset_variance=0.5)
    assert "over the offset's law" in line(averaged, "lambda* = tau/s")
    assert "(given offset" not in averaged.card()
