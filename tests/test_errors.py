"""One format for every message, and checks that let nothing strange through."""

import re

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv import errors
from gaussequiv.errors import ArgumentError


def test_messages_name_the_argument_its_value_and_its_meaning():
    error = errors.fail("alpha", "positive", -0.1, "alpha is the number of samples per input dimension, n/d.")
    assert str(error) == "Argument `alpha` must be positive, but alpha=-0.1. alpha is the number of samples per input dimension, n/d."


def test_long_values_are_cut_and_arrays_shown_by_shape():
    assert len(str(errors.fail("x", "short", "y" * 500))) < 200
    assert "array of shape (3, 4)" in str(errors.fail("x", "short", np.zeros((3, 4))))


@pytest.mark.parametrize("value", [True, "1", None, [1, 2], np.nan, np.inf, 1j, object()])
def test_strange_numbers_are_refused(value):
    with pytest.raises(ArgumentError, match="Argument `x` must be"):
        errors.number("x", value)


def test_numbers_keep_to_their_range():
    assert errors.number("x", np.float32(0.5)) == 0.5
    assert errors.number("x", np.inf, allow_infinite=True) == np.inf
    assert errors.number("x", 0, nonnegative=True) == 0.0
    for options, value in (({"positive": True}, 0.0), ({"nonnegative": True}, -1e-9), ({"allow_infinite": True}, np.nan)):
        with pytest.raises(ArgumentError):
            errors.number("x", value, **options)


@pytest.mark.parametrize("value", [True, "2", None, 1.5, np.nan, np.inf, 0, -3])
def test_strange_integers_are_refused(value):
    with pytest.raises(ArgumentError, match="an integer of at least 1"):
        errors.integer("d", value, minimum=1)


def test_integral_floats_and_numpy_integers_are_integers():
    assert errors.integer("d", 3.0, minimum=1) == 3
    assert type(errors.integer("d", np.int64(3), minimum=1)) is int


@pytest.mark.parametrize("value", [[], [1.0, np.nan], "abc", [["a"]], np.ones((2, 2))])
def test_strange_arrays_are_refused(value):
    with pytest.raises(ArgumentError, match="Argument `x` must be"):
        errors.array("x", value, ndim=1)


def test_grids_take_scalars_and_refuse_what_is_not_positive():
    assert errors.grid("alpha", 2).tolist() == [2.0]
    assert errors.grid("alpha", range(1, 3)).tolist() == [1.0, 2.0]
    for value in (0.0, [1.0, -2.0], [], [[1.0]], "1:2:3", None, True, [np.inf]):
        with pytest.raises(ArgumentError, match="Argument `alpha` must be"):
            errors.grid("alpha", value)
    with pytest.raises(ArgumentError, match=re.escape("alpha=-2.0")):
        errors.grid("alpha", [1.0, -2.0])


def test_choices_get_a_did_you_mean():
    assert errors.choice("task", "regression", ("regression", "classification")) == "regression"
    with pytest.raises(ArgumentError, match=r"Did you mean 'classification'\?"):
        errors.choice("task", "clasification", ("regression", "classification"))
    assert errors.did_you_mean("qqqq", ("tanh",)) == ""
    assert errors.closest("Tahn", ("erf", "tanh")) == "tanh" and errors.closest("qqqq", ("tanh",)) is None


def test_layer_values_are_broadcast_or_counted():
    assert errors.per_layer("w", 2, 3) == (2.0, 2.0, 2.0)
    assert errors.per_layer("w", [1, 2], 2) == (1.0, 2.0)
    assert errors.per_layer("w", (), 0) == ()
    for value in ([1, 2, 3], "12", None, [1, -1], [1, "a"]):
        with pytest.raises(ArgumentError, match="Argument `w"):
            errors.per_layer("w", value, 2)
    with pytest.raises(ArgumentError, match=re.escape("`w[1]`")):
        errors.per_layer("w", [1, 0], 2, positive=True)


PROBLEM = ge.Problem(ge.DeepNetwork("tanh", noise=0.1))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ge.save(PROBLEM, "problem.nc"), "`result` must be a result of a verb such as solve"),
        (lambda: ge.plot.curve(PROBLEM), "`result` must be a result of a verb such as solve"),
        (lambda: ge.plot.residuals(PROBLEM), "`result` must be a result of compare"),
        (lambda: ge.plot.phase_diagram(ge.solve(PROBLEM, 1.0)), "`result` must be a result of phase_diagram, but result=.'test_error'"),
        (lambda: ge.plot.branches(ge.solve(PROBLEM, 1.0)), "`result` must be a result of fixed_points"),
        (lambda: ge.plot.steps(ge.solve(PROBLEM, 1.0)), "`result` must be a result of track"),
        (lambda: ge.solve(PROBLEM, "1"), "`alpha` must be a positive number or a sequence of them, but alpha='1'"),
        (lambda: ge.sweep(PROBLEM, [1.0], {"depth": [1]}, verb="solv"), "Did you mean 'solve'"),
        (lambda: ge.DeepNetwork("tanh", labels=np.tanh), r"P\(y = \+1 \| field\).* are Output\(f\)"),
        (lambda: ge.Problem(PROBLEM.target, inputs=np.zeros((3, 4))), r"or DataInputs\(X\) for the rows of a data matrix"),
    ],
)
def test_natural_mistakes_are_told_with_what_to_do(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


@pytest.mark.parametrize("value", [2**63, 10**400, 10**5000, -(10**5000)], ids=["2**63", "10**400", "10**5000", "-10**5000"])
def test_integers_that_no_size_can_be_are_refused(value):
    with pytest.raises(ArgumentError, match="`d` must be an integer of at least 1"):
        errors.integer("d", value, minimum=1)
    assert errors.integer("d", 2**63 - 1, minimum=1) == 2**63 - 1


def test_a_seed_may_be_any_integer():
    assert errors.integer("seed", 10**400, minimum=0) == 10**400
