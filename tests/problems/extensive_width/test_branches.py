"""Branches of state evolution: published tables, closed forms, and the equations themselves."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from gaussequiv.ingredients.activations import get
from gaussequiv.ingredients.activations.base import Activation
from gaussequiv.ingredients.priors import named as priors
from gaussequiv.problems.extensive_width.branches import WideEvolution
from gaussequiv.problems.extensive_width.kernel_parts import KernelParts
from gaussequiv.problems.extensive_width.matrix_prior import MatrixPrior

ONES, SIGNS = ((1.0,), (1.0,)), ((-1.0, 1.0), (0.5, 0.5))
ACTIVATIONS = {
    "h23": (Activation(lambda z: (z * z - 1) / np.sqrt(2) + (z**3 - 3 * z) / 6, "h23"), 1.25),
    "relu": (get("relu"), 0.1),
    "h3": (get("hermite:3"), 1.25),
    "tanh2": (Activation(lambda z: np.tanh(2 * z), "tanh2"), 0.1),
}
ALPHA = np.array([0.5, 1.0, 2.0, 4.0, 8.0])


def evolution(name, law=ONES, ratio=0.5, weights="gaussian"):
    activation, noise = ACTIVATIONS[name]
    return WideEvolution(MatrixPrior(ratio, *law), KernelParts(activation), priors.get(weights), noise)


@pytest.mark.parametrize(
    ("ratio", "alpha", "errors"),
    [
        (0.5, [0.1, 0.15, 0.2, 0.25, 0.3, 0.325, 0.35, 0.37], [0.72368, 0.55506, 0.39220, 0.24729, 0.12813, 0.07984, 0.03933, 0.00948]),
        (1.0, [0.1, 0.2, 0.3, 0.4, 0.45], [0.76492, 0.49992, 0.26145, 0.08426, 0.02737]),
    ],
)
def test_noiseless_quadratic_networks(ratio, alpha, errors):
    """Maillard et al. 2024, eq. 6, solved independently to five digits."""
    found = WideEvolution(MatrixPrior(ratio, *ONES), KernelParts(get("hermite:2")), priors.get("gaussian"), 0.0)
    assert found.universal(np.array(alpha)).error == pytest.approx(errors, abs=6e-6)
    edge = found.transitions().perfect_recovery
    assert edge == ratio - ratio**2 / 2
    assert found.universal(np.array([0.9999 * edge, 1.0001 * edge])).error == pytest.approx([0.0, 0.0], abs=1e-3)
    assert found.universal(np.array([0.9999 * edge])).error[0] > 0 == found.universal(np.array([1.0001 * edge])).error[0]
    assert found.specialised(np.array(alpha)) == []


@pytest.mark.parametrize(
    ("name", "law", "universal"),
    [
        ("h23", ONES, [0.74111, 0.53681, 0.38092, 0.28376, 0.22867]),
        ("h23", SIGNS, [0.79628, 0.58330, 0.40702, 0.29526, 0.23278]),
        ("relu", ONES, [0.05675, 0.04050, 0.02815, 0.02048, 0.01614]),
        ("relu", SIGNS, [0.06116, 0.04418, 0.03021, 0.02139, 0.01646]),
    ],
)
def test_published_universal_branches(name, law, universal):
    """gamma = 1/2: github.com/Minh-Toan/extensive-width-NN, unified/ (csv), to five digits."""
    assert evolution(name, law).universal(ALPHA).error == pytest.approx(universal, abs=1.1e-5)


@pytest.mark.parametrize(
    ("name", "law", "errors", "overlaps"),
    [
        ("h23", ONES, [0.52671, 0.35242, 0.17678, 0.08327], [0.1958, 0.4418, 0.7957, 0.9158]),
        ("relu", ONES, [0.04005, 0.02770, 0.01988, 0.00751], [0.157, 0.279, 0.452, 0.927]),
        ("h3", ONES, [np.nan, 0.42293, 0.17887, 0.08336], [np.nan, 0.8325, 0.9364, 0.9714]),
        ("tanh2", SIGNS, [np.nan, 0.04210, 0.01537, 0.00688], [np.nan, 0.8847, 0.9654, 0.9854]),
    ],
)
def test_published_specialised_branches(name, law, errors, overlaps):
    """Independent solutions of arXiv:2505.24849, Result 1, on coarser grids (some 4e-5)."""
    (branch,) = evolution(name, law).specialised(ALPHA[1:])
    assert branch.error == pytest.approx(errors, abs=4e-5, nan_ok=True)
    assert branch.neuron_overlap == pytest.approx(overlaps, abs=6e-4, nan_ok=True)


@pytest.mark.parametrize("weights", ["gaussian", "rademacher"])
@pytest.mark.parametrize(("name", "law"), [("h23", SIGNS), ("relu", ONES)])
def test_solutions_solve_the_equations(name, law, weights):
    """Every equation of Result 1 with the exact matrix functions in place of the table, at gamma = .7."""
    machine = evolution(name, law, 0.7, weights)
    branch = next(one for one in reversed(machine.specialised(np.array([6.0]))) if np.isfinite(one.error[0]))
    Q, H, eps = branch.neuron_overlap[0], branch.H[0], branch.error[0]
    prior, parts = machine.prior, machine.parts
    assert H == pytest.approx(6.0 / (machine.noise + eps), rel=1e-8)
    tau = brentq(lambda t: prior.overlap(t)[0] - Q * Q, 1e-3, 1e5, xtol=1e-12)
    q_2 = prior.overlap(tau + parts.mu_2_square * H)[0]
    assert branch.matrix_overlap[0] == pytest.approx(q_2, rel=1e-6)
    rest = parts.rest([Q])
    assert eps == pytest.approx(parts.mu_2_square / 2 * (1 - q_2) + rest.left[0], rel=1e-6)
    r = Q * (q_2 - Q * Q) / (0.7 * prior.overlap_slope(tau)[0]) + H / 0.7 * rest.slope[0]
    if weights == "gaussian":
        assert Q == pytest.approx(r / (1 + r), rel=1e-6)
    else:
        z, w = np.polynomial.hermite_e.hermegauss(120)
        assert Q == pytest.approx(w @ np.tanh(np.sqrt(r) * z + r) / w.sum(), rel=1e-6)


def test_signs_are_known_exactly_far_above_the_transition():
    """Rademacher weights: the error falls exponentially, and the curve goes on."""
    branch = evolution("tanh2", weights="rademacher").specialised(np.array([3.0, 10.0, 100.0, 1000.0]))[-1]
    assert branch.error[1:] == pytest.approx(np.zeros(3), abs=1e-7)
    assert branch.neuron_overlap[1:] == pytest.approx(np.ones(3), abs=1e-6)
    mixed = evolution("relu", weights="rademacher").specialised(np.array([30.0, 300.0]))[-1]
    assert mixed.error == pytest.approx(np.zeros(2), abs=1e-7)


def test_free_entropies_of_both_branches():
    """Independent values at v = 1: h23 at alpha = 2, relu at 4, tanh(2x) at 2."""
    for name, alpha, universal, specialised in (
        ("h23", 2.0, -1.72704, -1.72408),
        ("relu", 4.0, -0.41456, -0.41310),
        ("tanh2", 2.0, -0.62197, -0.60282),
    ):
        machine = evolution(name)
        assert machine.universal(np.array([alpha])).free_entropy[0] == pytest.approx(universal, abs=6e-6)
        assert machine.specialised(np.array([alpha]))[-1].free_entropy[0] == pytest.approx(specialised, abs=1.5e-5)


@pytest.mark.parametrize("name", ["h23", "relu", "tanh2"])
def test_free_entropy_is_stationary_in_the_error_of_the_labels(name):
    """d(alpha f)/d alpha = -log(2 pi e (noise + eps))/2: the evidence of one more label (chain rule)."""
    machine, h = evolution(name), 1e-4
    alpha = np.array([3.0 - h, 3.0, 3.0 + h])
    for branch in (machine.universal(alpha), machine.specialised(alpha)[-1]):
        slope = (alpha[2] * branch.free_entropy[2] - alpha[0] * branch.free_entropy[0]) / (2 * h)
        assert slope == pytest.approx(-0.5 * np.log(2 * np.pi * np.e * (machine.noise + branch.error[1])), abs=2e-5)


@pytest.mark.parametrize(
    ("name", "law", "onset"), [("h23", ONES, 0.63821), ("h23", SIGNS, 0.76124), ("relu", ONES, 0.63207), ("relu", SIGNS, 0.75392)]
)
def test_onsets_of_specialisation(name, law, onset):
    """q_2 of the universal branch = gamma; just above it a few neurons' worth is known."""
    machine = evolution(name, law)
    assert machine.transitions().onset == pytest.approx(onset, abs=6e-6)
    assert 0 < machine.specialised(np.array([1.02 * onset]))[-1].neuron_overlap[0] < 0.1


def test_the_first_order_transition_of_a_cubic_has_a_closed_form():
    """g = q^3: alpha(q) = gamma/(3 q (1 - q)) (noise + 1 - q^3), and -alpha log(1 - q^3/(noise + 1)) + gamma (q + log(1 - q)) = 0 where
    both branches have the same free entropy."""
    noise, gamma = 1.25, 0.5

    def alpha(q):
        return gamma / (3 * q * (1 - q)) * (noise + 1 - q**3)

    def gain(q):
        return -alpha(q) * np.log1p(-(q**3) / (noise + 1)) + gamma * (q + np.log1p(-q))

    bottom = minimize_scalar(alpha, bounds=(0.3, 0.9), method="bounded", options={"xatol": 1e-10})
    found = evolution("h3").transitions()
    assert found.spinodal == pytest.approx(bottom.fun, rel=1e-8)
    assert found.equilibrium == pytest.approx(alpha(brentq(gain, bottom.x, 0.95)), rel=1e-7)
    assert np.isnan(found.onset)


def test_the_transition_of_tanh():
    """1.6199 and 1.75862 (some 1e-4 from coarser grids)."""
    found = evolution("tanh2").transitions()
    assert (found.spinodal, found.equilibrium) == pytest.approx((1.6199, 1.75862), rel=2e-4)
