"""Sensitivities across the points where the saddle point changes the form of its first equation."""

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.learners.convex.model import Model
from gaussequiv.learners.convex.routes import Routes
from gaussequiv.learners.convex.saddle_point import Form
from gaussequiv.learners.convex.sensitivity import tangents

STEP = 1e-3
STENCIL = {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}


def scanned(loss: str, alpha: np.ndarray, lam: np.ndarray):
    """Relative errors of d q / d lam and d q / d alpha beside fourth-order differences of solved curves, and the forms of the equations."""
    problem = ge.Problem(
        target=ge.DeepNetwork("tanh", noise=0.5, weight_variance=2.0, task="classification"),
        inputs=ge.GaussianInputs("two-level:4:0.2:0.2"),
        features=ge.NNGP("tanh"),
        learner=ge.ERM(loss, 1.0),
    )
    model = Model(problem.learners[0], problem.equivalent())
    at = model.points(alpha, lam)
    solution = Routes(model).solve(at)
    found = tangents(model, at, solution, ("lam", "alpha"))
    form = model.saddle(at).form_at(solution.unknowns)
    wrong = []
    for name in ("lam", "alpha"):
        value = at.load if name == "alpha" else at.lam  # raw rows: n/p = n/d

        def q(k, name=name, value=value):
            moved = {"alpha": at.load, "lam": at.lam} | {name: value * (1 + k * STEP)}
            return Routes(model).solve(model.points(**moved)).fields.q

        slope = sum(weight * q(k) for k, weight in STENCIL.items()) / (value * STEP)
        wrong.append(np.abs(found[name]["q"] / slope - 1))
    return np.max(wrong, axis=0), form


@pytest.mark.parametrize(
    ("loss", "alpha", "lam"),
    [
        ("squared_hinge", (4.0, 4.0), (1.0, 1.3)),
        ("squared_hinge", (3.0, 6.0), (1.139, 1.139)),
        ("logistic", (2.0, 60.0), (0.05, 0.05)),
        ("logistic", (20.0, 20.0), (0.01, 3.0)),
    ],
)
def test_no_window_is_wrong(loss, alpha, lam):
    """Both forms of the first equation occur in each scan, at steps finer than the stencil around the exchange."""
    points = 121
    wrong, form = scanned(loss, np.geomspace(*alpha, points), np.geomspace(*lam, points))
    edge = np.flatnonzero(np.diff(form.difference.astype(int)))
    assert edge.size, "the scan does not meet the exchange"
    fine = np.concatenate([np.linspace(-4e-3, 4e-3, 33)])
    share = (edge[0] + 0.5) / (points - 1)
    centre = [a * (b / a) ** share for a, b in (alpha, lam)]
    moving = [float(a != b) for a, b in (alpha, lam)]
    near, narrow = scanned(loss, centre[0] * (1 + moving[0] * fine), centre[1] * (1 + moving[1] * fine))
    assert isinstance(narrow, Form)
    assert max(wrong.max(), near.max()) < 2e-8
