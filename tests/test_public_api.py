"""What importing the package does, and what its names are."""

import inspect
import subprocess
import sys

import pytest

import gaussequiv as ge

HEAVY = ("jax", "xarray", "matplotlib", "scipy", "sklearn", "pandas", "netCDF4", "rich", "typer")


def fresh(code):
    """Run code in a new interpreter and return what it printed."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True, timeout=120
    ).stdout.strip()


def test_importing_the_package_is_light():
    code = f"import sys, gaussequiv; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert fresh(code) == "[]"


def test_solving_a_named_problem_imports_no_jax():
    code = "import sys, gaussequiv as ge; ge.solve(ge.Problem(), [1.0]); print('jax' in sys.modules, 'matplotlib' in sys.modules)"
    assert fresh(code) == "False False"


@pytest.mark.parametrize("name", ge.__all__)
def test_every_public_name_resolves_and_is_documented(name):
    found = getattr(ge, name)
    if name == "__version__":
        assert found.count(".") == 2
    else:
        assert (found.__doc__ or "").strip()
        assert len(found.__doc__.strip().splitlines()[0]) > 10


def test_names_are_listed_once_and_all_of_them():
    assert len(set(ge.__all__)) == len(ge.__all__)
    assert set(dir(ge)) == set(ge.__all__)
    assert set(ge.__all__) >= {"Problem", "DeepNetwork", "GaussianInputs", "BayesOptimal", "Ridge", "solve", "simulate", "compare", "plot"}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"no attribute 'Probelm'\. Did you mean 'Problem'"):
        ge.Probelm  # noqa: B018


def test_errors_can_be_caught_as_value_errors():
    assert issubclass(ge.ArgumentError, ValueError)
    assert issubclass(ge.UnreachableError, ValueError)
    assert issubclass(ge.ConvergenceWarning, UserWarning)
    assert issubclass(ge.Interrupted, KeyboardInterrupt)


def test_the_distribution_has_the_version_of_the_package():
    from importlib.metadata import version

    assert version("gaussequiv") == ge.__version__


DEFAULTS = {
    "BayesOptimal": {"assumes": None, "branch": "equilibrium"},
    "ERM": {
        **{"loss": "logistic", "lam": "optimal", "penalty": "l2", "intercept": None, "class_weight": None, "sample_weight": None},
        **{"minimise": "test_error", "tune": ()},
    },
    "Ridge": {"lam": "optimal", "intercept": None, "constrain": False},
    "RidgeEnsemble": {"lam": 1.0, "members": 10, "resampling": "bootstrap"},
    "DeepNetwork": {
        **{"activations": ("tanh",), "depth": None, "weight_variance": 1.0, "bias_variance": 0.0, "readout_variance": 1.0},
        **{"readout_bias_variance": 0.0, "task": "regression", "noise": 0.0, "labels": None, "flips": 0.0, "widths": None},
        **{"width_ratios": 1.4, "offset": None},
    },
    "LinearTarget": {"prior": "gaussian", "task": "regression", "noise": 0.0, "labels": None, "flips": 0.0, "offset": None},
    "GaussianInputs": {"spectrum": None, "covariance": None, "mean": 0.0},
    "GeneratorInputs": {
        **{"latent_dim": None, "target_sees": "latents", "centred": True, "size": 1000, "seed": 0, "normalise": False},
    },
    "SampledInputs": {"matrix": None, "normalise": False, "name": "data", "latents": None, "method": "pool", "groups": 10, "seed": 0},
    "RandomFeatures": {
        **{"activations": "erf", "depth": None, "ratio": 1.0, "weight_variance": 1.0, "bias_variance": 0.0, "spectrum": "auto", "seed": 0},
    },
    "SpikedWigner": {"prior": "rademacher", "branch": "uninformed"},
    "TwoLayer": {"activation": "erf", "units": 2, "readout": "gaussian", "weight_std": 1.0, "gain": 1.0},
    "RandomGenerator": {"activations": ("sign",), "latent_ratio": 0.5, "covariance": "gaussian"},
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_what_a_description_leaves_out_stays_what_it_is(name):
    """A default that moves changes every result of those who rely on it."""
    parameters = inspect.signature(getattr(ge, name)).parameters.values()
    assert {one.name: one.default for one in parameters if one.default is not one.empty} == DEFAULTS[name]
