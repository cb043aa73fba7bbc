"""Bayes-optimal errors against published and independently computed numbers, to their printed digits."""

from decimal import Decimal

import numpy as np
import pytest
from scipy import integrate, optimize, special

import gaussequiv as ge

SHIFTED2 = ge.Activation(lambda x: np.tanh(2 * x + 0.7), name="tanh(2x+0.7)", smooth=True)


def assert_prints(value, printed):
    """`value` rounds to the decimal number `printed`: half a unit of its last digit, plus float rounding."""
    number = Decimal(printed)
    half_unit = 0.5 * 10.0 ** number.as_tuple().exponent
    assert abs(float(value) - float(number)) <= half_unit * (1 + 1e-9), f"{float(value):.15g} does not print as {printed}"


def tanh2x(depth, **options):
    return ge.DeepNetwork("tanh", depth, weight_variance=4, **options)


# Cui, Krzakala, Zdeborova 2023, eq. 12-14 (closed form, evaluated independently); noiseless labels.
REGRESSION = {
    0.25: ("0.52819999", "0.49108783", "0.48839303"),
    0.5: ("0.43261598", "0.42965711", "0.44340619"),
    1: ("0.29142569", "0.33741191", "0.37441081"),
    2: ("0.18016419", "0.24752256", "0.29904673"),
    3: ("0.14837668", "0.21300805", "0.26503176"),
    5: ("0.12744826", "0.18672762", "0.23623523"),
    7: ("0.11969004", "0.17622122", "0.22395218"),
}


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_regression(depth):
    curve = ge.solve(ge.Problem(target=tanh2x(depth)), alpha=list(REGRESSION))
    for value, row in zip(curve.test_error.values, REGRESSION.values(), strict=True):
        assert_prints(value, row[depth - 1])


# Printed by the code of Cui, Krzakala, Zdeborova 2023 for its grid linspace(0, 7.1, 70): index, q, qhat.
PRINTED = [
    (1, 0.0733778853, 0.0791885755),
    (10, 0.5581237365, 1.2630769801),
    (20, 0.7748706228, 3.4418903138),
    (39, 0.8932621631, 8.3687489765),
    (69, 0.9429102079, 16.5162662671),
]


@pytest.mark.parametrize(("index", "q", "qhat"), PRINTED)
def test_order_parameters_printed_by_the_authors(index, q, qhat):
    alpha = np.linspace(0, 7.1, 70)[index]
    curve = ge.solve(ge.Problem(target=tanh2x(2)), alpha=alpha)
    assert float(curve.overlap[0]) == pytest.approx(q, rel=0, abs=1e-6)
    assert float(curve.qhat[0]) == pytest.approx(qhat, rel=0, abs=1e-6)


# Cui, Krzakala, Zdeborova 2023, eq. 15; noiseless sign; evaluated independently. The last row is the limit.
CLASSIFICATION = {
    0.1: ("0.433074", "0.441902", "0.449020"),
    0.5: ("0.354046", "0.374009", "0.389709"),
    1: ("0.301416", "0.329288", "0.350698"),
    2: ("0.243113", "0.279518", "0.306749"),
    4: ("0.194057", "0.235996", "0.266814"),
    7: ("0.168103", "0.211504", "0.243146"),
}
FLOOR = ("0.1319997", "0.1744821", "0.2049161")


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_classification(depth):
    problem = ge.Problem(target=tanh2x(depth, task="classification"))
    curve = ge.solve(problem, alpha=list(CLASSIFICATION))
    for value, floor, row in zip(curve.test_error.values, curve.floor.values, CLASSIFICATION.values(), strict=True):
        assert_prints(value, row[depth - 1])
        assert_prints(floor, FLOOR[depth - 1])
    equivalent = problem.equivalent()
    rho = equivalent.signal_variance + equivalent.noise
    assert float(curve.floor[0]) == pytest.approx(np.arccos(np.sqrt(equivalent.signal_variance / rho)) / np.pi, rel=1e-13)


@pytest.mark.parametrize(("alpha", "printed"), [(0.7, "0.3534"), (2.4, "0.2669")])
def test_classification_between_grid_points(alpha, printed):
    """Cui, Krzakala, Zdeborova 2023, eq. 15."""
    assert_prints(ge.solve(ge.Problem(target=tanh2x(2, task="classification")), alpha=alpha).test_error[0], printed)


# Derived; verified by simulation: tanh(2x+0.7), two layers, labels with an offset b0 = fraction sqrt(rho).
OFFSET = {
    0.0: ((".334771", ".342349"), (".529019", ".296178"), (".718332", ".254873"), ".19318"),
    0.5: ((".310293", ".281154"), (".498457", ".252551"), (".691757", ".221516"), ".16746"),
    1.0: ((".244487", ".157869"), (".410020", ".153431"), (".605735", ".143186"), ".10928"),
}
AVERAGED = {0.05: ".3418797605", 0.25: ".3266514726", 1: ".286275", 2: ".254366", 4: ".222408"}


def shifted(offset=None):
    return ge.DeepNetwork(SHIFTED2, 2, task="classification", offset=offset)


@pytest.mark.parametrize("fraction", list(OFFSET))
def test_labels_of_a_target_with_given_offset(fraction):
    equivalent = ge.Problem(target=shifted()).equivalent()
    assert_prints(equivalent.slope2, ".3158625526")
    assert_prints(equivalent.noise, ".1522554585")
    assert_prints(equivalent.offset_variance, ".1289327488")
    b0 = fraction * np.sqrt(equivalent.signal_variance + equivalent.noise)
    curve = ge.solve(ge.Problem(target=shifted(b0)), alpha=[1.0, 2.0, 4.0])
    *rows, floor = OFFSET[fraction]
    for overlap, error, (q, printed) in zip(curve.overlap.values, curve.test_error.values, rows, strict=True):
        assert_prints(overlap, q)
        assert_prints(error, printed)
    assert_prints(curve.floor[0], floor)
    mirrored = ge.solve(ge.Problem(target=shifted(-b0)), alpha=[1.0, 2.0, 4.0])
    np.testing.assert_allclose(mirrored.test_error, curve.test_error, rtol=1e-14)


def test_labels_averaged_over_the_law_of_the_offset():
    """Derived; verified by simulation: every b0 has its own order parameter (small alpha: nested adaptive quadrature)."""
    curve = ge.solve(ge.Problem(target=shifted()), alpha=list(AVERAGED))
    for value, printed in zip(curve.test_error.values, AVERAGED.values(), strict=True):
        assert_prints(value, printed)


@pytest.mark.parametrize(("alpha", "printed"), [(0.5, ".3450"), (2.0, ".2277")])
def test_regression_with_a_power_law_spectrum(alpha, printed):
    """Cui, Krzakala, Zdeborova 2023, eq. 12-14 with eigenvalues i^(-0.8) of mean 1 at d = 400."""
    problem = ge.Problem(target=tanh2x(2), inputs=ge.GaussianInputs(spectrum=ge.PowerLaw(0.8)))
    assert_prints(ge.solve(problem, alpha=alpha, d=400).test_error[0], printed)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 7.0])
@pytest.mark.parametrize("noise", [0.01, 0.2, 3.0])
def test_regression_with_label_noise(alpha, noise):
    """Closed form of Cui, Krzakala, Zdeborova 2023, eq. 12-14: x = s(1-q), x^2 + b x = s tau, b = tau + (alpha - 1) s."""
    problem = ge.Problem(target=tanh2x(2, noise=noise))
    s, tau = 0.4090945176, 0.1525061196 + noise
    b = tau + (alpha - 1) * s
    x = 2 * s * tau / (b + np.sqrt(b * b + 4 * s * tau))
    curve = ge.solve(problem, alpha=alpha)
    assert float(curve.test_error[0]) == pytest.approx(tau + x, rel=1e-9)
    assert float(curve.clean_error[0]) == pytest.approx(tau + x - noise, rel=1e-9)
    assert float(curve.overlap[0]) == pytest.approx(1 - x / s, rel=0, abs=1e-9)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_overlap_of_noisy_two_layer_network_from_its_mutual_information(alpha):
    """Derived; verified by finite-size log-determinants: I/d = (alpha/2) ln(e/tau) + (ln(1+qhat) - q)/2 at label noise 0.2."""
    printed = {0.5: "0.175294", 1.0: "0.319610", 3.0: "0.698469"}[alpha]
    curve = ge.solve(ge.Problem(target=tanh2x(2, noise=0.2)), alpha=alpha)
    tau = float(curve.floor[0])
    assert_prints(tau, "0.3525061196")
    error, q, qhat = float(curve.test_error[0]), float(curve.overlap[0]), float(curve.qhat[0])
    assert_prints(0.5 * alpha * np.log(error / tau) + 0.5 * (np.log1p(qhat) - q), printed)


def sign_error(s, tau, alpha, b0=0.0):
    """Cui, Krzakala, Zdeborova 2023, eq. 15 by adaptive quadrature; an offset shifts the field's mean."""

    def rate(q):
        V = tau + s * (1 - q)

        def integrand(x):
            t = (b0 + np.sqrt(s * q) * x) / np.sqrt(V)
            return np.exp(-0.5 * x * x - t * t - 1.5 * np.log(2 * np.pi) - special.log_ndtr(t) - special.log_ndtr(-t))

        return alpha * s / V * integrate.quad(integrand, -12, 12, epsabs=0, epsrel=1e-12, limit=400)[0]

    q = optimize.brentq(lambda q: rate(q) / (1 + rate(q)) - q, 0, 1 - 1e-12, xtol=1e-15)
    V = tau + s * (1 - q)

    def loss(x):
        t = (b0 + np.sqrt(s * q) * x) / np.sqrt(V)
        return np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi) * special.ndtr(-abs(t))

    kink = -b0 / np.sqrt(s * q)
    parts = [(-12, kink), (kink, 12)] if abs(kink) < 12 else [(-12, 12)]
    return q, sum(integrate.quad(loss, *part, epsabs=0, epsrel=1e-12)[0] for part in parts)


@pytest.mark.parametrize("alpha", [0.05, 1.3, 30.0])
@pytest.mark.parametrize(("noise", "offset"), [(0.1, 0.0), (1.0, 0.7), (0.0, 0.3)])
def test_sign_labels_with_noise_and_offset_against_quadrature(alpha, noise, offset):
    """Cui, Krzakala, Zdeborova 2023, eq. 15, all noise inside the sign; offset: derived, verified by simulation."""
    problem = ge.Problem(target=tanh2x(2, task="classification", noise=noise, offset=offset))
    equivalent = problem.equivalent()
    q, error = sign_error(equivalent.slope2, equivalent.noise, alpha, offset)
    curve = ge.solve(problem, alpha=alpha)
    assert float(curve.overlap[0]) == pytest.approx(q, rel=1e-10)
    assert float(curve.test_error[0]) == pytest.approx(error, rel=1e-10)
