"""Information and entropies against independently computed numbers, to their printed digits."""

from decimal import Decimal

import numpy as np
import pytest

import gaussequiv as ge
from gaussequiv.ingredients.channels.counts import Quantised
from gaussequiv.ingredients.targets.linear_target import LinearTarget
from gaussequiv.learners.bayes.information import information, layer_information
from gaussequiv.run.information import information as verb

ALPHA = np.array([0.5, 1.0, 3.0])
S, TAU = 0.4090945176, 0.3525061196  # two layers of tanh(2x), label noise 0.2


def assert_prints(values, printed):
    """Every value rounds to the decimal number printed: half a unit of its last digit, plus float rounding."""
    for value, text in zip(values, printed.split(), strict=True):
        half_unit = 0.5 * 10.0 ** Decimal(text).as_tuple().exponent
        assert abs(float(value) - float(text)) <= half_unit * (1 + 1e-9), f"{float(value):.15g} does not print as {text}"


def tanh2x(**options):
    return ge.DeepNetwork("tanh", 2, weight_variance=4, **options)


def solved(target, inputs=None, **options):
    return information(ge.Problem(target, inputs or ge.GaussianInputs()).equivalent(), ALPHA, **options)


def test_information_on_the_weights_of_two_layers():
    """Closed form for real labels, evaluated independently; log-determinants at d = 800: 0.17526, 0.31977, 0.69876."""
    found = solved(tanh2x(noise=0.2))
    assert_prints(found["mutual_information"], "0.175294 0.319610 0.698469")
    assert found["conditional_information"] == pytest.approx(0.5 * np.log(TAU / 0.2), rel=1e-9)


@pytest.mark.parametrize(("depth", "printed"), [(1, "0.72267"), (2, "0.61112")])
def test_information_of_deep_erf_networks_per_sample(depth, printed):
    """alpha = 1, label noise 0.1; evidence of the infinitely wide network tends to them."""
    assert_prints(solved(ge.DeepNetwork("erf", depth, noise=0.1))["mutual_information_per_sample"][1:2], printed)


# Derived; verified by log-determinants at d = 600. A linear target of the given signal and noise.
SPECTRA = [
    (ge.GaussianInputs(), None, "0.175294 0.319610 0.698469"),
    (ge.GaussianInputs(ge.PowerLaw(0.8)), 600, "0.147290 0.257008 0.549416"),
    (ge.GaussianInputs(ge.TwoLevel(4.0, 0.2, 1 / 6)), None, "0.126988 0.210705 0.425171"),
]


@pytest.mark.parametrize(("inputs", "d", "printed"), SPECTRA)
def test_information_of_regression_on_any_spectrum(inputs, d, printed):
    target = ge.DeepNetwork((), readout_variance=S, noise=TAU)
    assert_prints(verb(ge.Problem(target, inputs), ALPHA, d=d).mutual_information.values, printed)


# Derived; predictive entropies verified by Gibbs sampling on deep data. b0, I/d, H/n.
SIGN = [
    (0.0, ".147931 .273102 .621175", ".667595 .644836 .578792"),
    (0.5, ".123768 .231031 .544015", ".546457 .529951 .480259"),
]


@pytest.mark.parametrize(("offset", "mutual", "entropy"), SIGN)
def test_information_of_sign_labels_with_an_offset(offset, mutual, entropy):
    found = solved(tanh2x(task="classification", offset=offset))
    assert_prints(found["mutual_information"], mutual)
    assert_prints(found["label_entropy"], entropy)
    assert found["mutual_information_per_sample"] == pytest.approx(found["label_entropy"], rel=1e-12)  # no label noise


SHIFTED2 = ge.Activation(lambda x: np.tanh(2 * x + 0.7), name="tanh(2x+0.7)", smooth=True)


@pytest.mark.parametrize(("fraction", "printed"), [(0.5, ".5529 .5084"), (0.0, None)])
def test_predictive_entropy_of_a_shifted_network(fraction, printed):
    """Two layers of tanh(2x+0.7), b0 = fraction sqrt(rho), alpha = 1, 2."""
    rho = 0.3158625526 + 0.1522554585
    target = ge.DeepNetwork(SHIFTED2, 2, task="classification", offset=fraction * np.sqrt(rho))
    found = information(ge.Problem(target).equivalent(), np.array([1.0, 2.0]))["predictive_entropy"]
    assert_prints(found if printed else found[1:], printed or ".5639")


class Steep:
    """y = tanh(3 field) + sqrt(0.05) z by plain uniform rules: a user's channel with psi and fisher."""

    task, noise = "regression", 0.05

    def __init__(self):
        self.z, self.y = np.linspace(-6, 6, 1201), np.linspace(-2.5, 2.5, 301)
        self.likelihood = np.exp(-0.5 * (self.y - np.tanh(3 * self.z)[:, None]) ** 2 / self.noise) / np.sqrt(2 * np.pi * self.noise)
        self.x = np.linspace(-6, 6, 61)
        self.weights = np.exp(-0.5 * self.x**2) / np.exp(-0.5 * self.x**2).sum()

    def sample(self, rng, field):
        return np.tanh(3 * field) + np.sqrt(self.noise) * rng.standard_normal(field.shape)

    def _average(self, q, V, offset, what):
        q, V, offset = np.broadcast_arrays(q, V, offset)
        out = np.empty(q.shape)
        for i in np.ndindex(q.shape):
            omega = offset[i] + np.sqrt(q[i]) * self.x
            if V[i] == 0:
                Z = np.exp(-0.5 * (self.y - np.tanh(3 * omega)[:, None]) ** 2 / self.noise) / np.sqrt(2 * np.pi * self.noise)
                slope = np.zeros_like(Z)
            else:
                u = (self.z - omega[:, None]) / np.sqrt(V[i])
                kernel = np.exp(-0.5 * u * u)
                kernel /= kernel.sum(axis=1, keepdims=True)
                Z, slope = kernel @ self.likelihood, (kernel * u / np.sqrt(V[i])) @ self.likelihood
            Z = np.maximum(Z, 1e-300)
            out[i] = self.weights @ what(Z, slope).sum(axis=1) * (self.y[1] - self.y[0])
        return out

    def psi(self, q, V, offset=0.0):
        return self._average(q, V, offset, lambda Z, slope: Z * np.log(Z))

    def fisher(self, q, V, offset):
        return self._average(q, V, offset, lambda Z, slope: slope**2 / Z)


@pytest.mark.parametrize("channel", [Steep(), ge.Output(lambda z: np.tanh(3 * z), noise=0.05)], ids=["user's", "Output"])
def test_a_nonlinear_readout_through_the_general_formula(channel):
    """Two layers of tanh(2x) under y = tanh(3 S) + noise 0.05, evaluated independently."""
    found = solved(tanh2x(labels=channel))
    assert_prints(found["overlap"], "0.246158 0.426979 0.752987")
    assert_prints(found["qhat"], "0.326537 0.745136 3.048377")
    assert_prints(found["mutual_information"], "0.194776 0.355056 0.770128")
    noise = 0.5 * np.log(2 * np.pi * np.e * 0.05)  # added after the readout
    assert found["label_noise_entropy"] == pytest.approx(noise, abs=1e-6)


def test_perfect_recovery_of_signs_of_binary_weights():
    """Barbier et al. 2019: below alpha = 1.2447 the overlap is 0.56071 at alpha = 1, from there on D determines theta: log 2 each."""
    e = ge.Problem(LinearTarget("rademacher", task="classification")).equivalent()
    found = information(e, np.array([1.0, 1.24, 1.25, 3.0]))
    assert_prints(found["overlap"][[0, 2, 3]], "0.56071 1.00000 1.00000")
    assert found["mutual_information"][2:] == pytest.approx(np.log(2), rel=1e-6)
    assert np.all(found["mutual_information"][:2] < 0.999 * np.log(2))
    assert found["predictive_entropy"][2:] == pytest.approx(0, abs=1e-12)


STEP = 1e-4
IDENTITIES = [
    (tanh2x(noise=0.2), ge.GaussianInputs()),
    (tanh2x(noise=0.2), ge.GaussianInputs(ge.MarchenkoPastur(0.5))),
    (ge.DeepNetwork("relu", 3, noise=0.1), ge.GaussianInputs(ge.TwoLevel(4.0, 0.2, 1 / 6))),
    (tanh2x(task="classification", offset=0.5), ge.GaussianInputs()),
    (tanh2x(task="classification", noise=0.1), ge.GaussianInputs(ge.TwoLevel(4.0, 0.2, 1 / 6))),
    (tanh2x(task="classification", offset=0.3), ge.GaussianInputs(np.array([3.0, 1.0, 0.5, 0.0]))),
    (ge.DeepNetwork("relu", 2, task="classification", noise=0.1, bias_variance=0.2), ge.GaussianInputs()),
    (tanh2x(labels="logit:0.3", noise=0.1, flips=(0.1, 0.03)), ge.GaussianInputs(ge.TwoLevel(4.0, 0.2, 1 / 6))),
    (tanh2x(labels=Quantised((-0.5, 0.2, 0.6))), ge.GaussianInputs(ge.TwoLevel(4.0, 0.2, 1 / 6))),
    (LinearTarget("gauss-bernoulli:0.3", noise=0.1), ge.GaussianInputs()),
]


@pytest.mark.parametrize(("target", "inputs"), IDENTITIES)
@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_derivative_identities(target, inputs, alpha):
    """d[I/d]/dalpha = Psi(max) - Psi(q) and d[H/d]/dalpha = -Psi(q), by five-point differences: for every channel, offset and spectrum."""
    e = ge.Problem(target, inputs).equivalent()
    points = alpha + STEP * np.arange(-2, 3)
    found = information(e, points)
    weights = np.array([1, -8, 0, 8, -1]) / 12 / STEP
    predictive, given = found["predictive_entropy"][2], found["label_noise_entropy"][2] + found["conditional_information"][2]
    assert weights @ (points * found["label_entropy"]) == pytest.approx(predictive, rel=0, abs=1e-8)
    assert weights @ found["mutual_information"] == pytest.approx(predictive - given, rel=0, abs=1e-8)


@pytest.mark.parametrize(("target", "inputs"), IDENTITIES)
def test_no_data_give_no_information(target, inputs):
    """With the derivative identity this fixes the whole curve."""
    e = ge.Problem(target, inputs).equivalent()
    found = information(e, np.array([1e-7]))
    given = float((found["label_noise_entropy"] + found["conditional_information"])[0])
    assert 0 <= found["mutual_information"][0] < 1e-6
    b0, mass = e.offset_nodes()
    rho = float(e.weights @ e.signal_modes) + e.model_noise
    assert found["predictive_entropy"][0] == pytest.approx(-float(e.channel.psi(np.zeros_like(b0), rho, b0) @ mass), abs=1e-6)
    assert given < found["label_entropy"][0]


@pytest.mark.parametrize("noise", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("alpha", [0.3, 2.0])
def test_information_grows_with_the_signal_to_noise_ratio_by_half_the_error(noise, alpha):
    """Guo, Shamai, Verdu 2005: d I/d(1/Delta) = E|S - E[S|D]|^2/2 on the training rows; here Delta (e - Delta)/e for every row."""
    step = 1e-4 / noise

    def per_sample(precision):
        e = ge.Problem(tanh2x(noise=1 / precision)).equivalent()
        return float(information(e, np.array([alpha]))["mutual_information_per_sample"][0])

    weights = np.array([1, -8, 8, -1]) / 12 / step
    slope = float(weights @ [per_sample(1 / noise + k * step) for k in (-2, -1, 1, 2)])
    error = float(ge.solve(ge.Problem(tanh2x(noise=noise)), alpha).test_error[0])
    assert slope == pytest.approx(0.5 * noise * (error - noise) / error, rel=1e-8)


def test_shares_of_the_layers_are_those_of_the_partial_reductions():
    """Camilli, Tieplova, Bergamin, Barbier 2025, eq. 107-108: log((gamma_{l-1} + Delta)/(gamma_l + Delta))/2."""
    e = ge.Problem(ge.DeepNetwork("tanh", 4, weight_variance=4, noise=0.2)).equivalent()
    gamma = np.array([e.partial(k).gamma for k in range(5)])
    assert layer_information(e) == pytest.approx(0.5 * np.log((gamma[:-1] + 0.2) / (gamma[1:] + 0.2)), rel=1e-12)
