"""Old import paths stay valid."""

from importlib import import_module

import pytest

from gaussequiv._moved import MOVED


@pytest.mark.parametrize("old", sorted(MOVED))
def test_an_old_path_gives_the_objects_of_the_new_one(old):
    new = import_module(f"gaussequiv.{MOVED[old]}")
    forward = import_module(f"gaussequiv.{old}")
    public = [name for name, value in vars(new).items() if not name.startswith("_") and getattr(value, "__module__", "") == new.__name__]
    assert public
    assert all(getattr(forward, name) is getattr(new, name) for name in public)
    assert set(public) <= set(dir(forward))


def test_from_imports_of_classes_and_modules_work():
    from gaussequiv.ingredients.custom_loss import CustomLoss

    from gaussequiv.algorithms import hmc
    from gaussequiv.ingredients.losses.custom import CustomLoss as New

    assert CustomLoss is New
    assert hmc.__doc__


def test_names_of_a_module_that_was_split_are_found_under_its_old_path():
    from gaussequiv.algorithms.amp import GAMP, first_constant, fit_amp, side_information

    from gaussequiv.algorithms.message_passing import gamp, sample_fit, start

    assert (GAMP, fit_amp) == (gamp.GAMP, sample_fit.fit_amp)
    assert (first_constant, side_information) == (start.first_constant, start.side_information)


def test_a_path_that_never_was_is_still_an_error():
    with pytest.raises(ModuleNotFoundError, match="nothing"):
        import_module("gaussequiv.ingredients.nothing")


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("ingredients.priors", "Posterior", "ScalarPosterior"),
        ("ingredients.priors.base", "Posterior", "ScalarPosterior"),
        ("ingredients.penalties.base", "Averages", "PenaltyAverages"),
        ("ingredients.activations.base", "Sign", "SignActivation"),
        ("equivalence.prior_side", "Modes", "GaussianModes"),
        ("learners.convex.saddle_point", "Solution", "SolvedPoints"),
        ("learners.saddle_point", "Solution", "SolvedPoints"),
        ("learners.bayes.information", "information", "information_curve"),
        ("algorithms.amp", "State", "GampState"),
        ("algorithms.message_passing.gamp", "State", "GampState"),
        ("algorithms.message_passing.vamp", "Spectrum", "GramSpectrum"),
        ("algorithms.message_passing.sample_fit", "as_predictor", "state_predictor"),
        ("algorithms.networks.sampling", "State", "ChainState"),
        ("realdata.emulate", "State", "EmulationState"),
        ("realdata.emulate", "Student", "EmulatedStudent"),
    ],
)
def test_documented_names_of_before_stay_valid(module, old, new):
    where = import_module(f"gaussequiv.{module}")
    assert getattr(where, old) is getattr(where, new)
