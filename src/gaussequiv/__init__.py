"""Exact learning curves of deep random networks through their Gaussian equivalents, and simulations of the real thing.

Importing this package is light: names load on first use, no JAX, no global flag.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_NAMES = {
    "Activation": "ingredients.activations",
    "DeepNetwork": "ingredients.networks",
    "GaussianInputs": "ingredients.inputs",
    "DataInputs": "ingredients.inputs",
    "RandomFeatures": "ingredients.features",
    "GivenFeatures": "ingredients.features",
    "FeatureMatrix": "ingredients.features",
    "NNGP": "ingredients.kernels",
    "NTK": "ingredients.kernels",
    "DotProductKernel": "ingredients.kernels",
    "PowerLaw": "ingredients.spectra",
    "TwoLevel": "ingredients.spectra",
    "MarchenkoPastur": "ingredients.spectra",
    "GaussianEquivalent": "equivalence.gaussian_equivalent",
    "BayesOptimal": "learners.bayes_optimal",
    "Ridge": "learners.ridge",
    "ERM": "learners.erm",
    "Logistic": "learners.named",
    "SVM": "learners.named",
    "Huber": "learners.named",
    "Lasso": "learners.named",
    "ElasticNetRegression": "learners.named",
    "CustomLoss": "ingredients.custom_loss",
    "Binary": "ingredients.binary",
    "Output": "ingredients.outputs",
    "AbsoluteValue": "ingredients.outputs",
    "Relu": "ingredients.outputs",
    "Quantised": "ingredients.counts",
    "Poisson": "ingredients.counts",
    "LogLikelihood": "ingredients.log_likelihood",
    "RandomOutput": "ingredients.log_likelihood",
    "LinearTarget": "ingredients.linear_target",
    "LogDensity": "ingredients.priors",
    "Discrete": "ingredients.priors",
    "Quadratic": "ingredients.penalties",
    "separability_threshold": "learners.separability",
    "theory_curve": "estimators",
    "refit_curve": "estimators",
    "DeepRandomFeatures": "estimators",
    "ConvolutionalFeatures": "estimators",
    "KernelFunction": "estimators",
    "Problem": "problems.supervised",
    "solve": "run.solve",
    "samples_for": "run.solve",
    "information": "run.information",
    "Promise": "equivalence.validity",
    "track": "run.track",
    "sample_posterior": "run.posterior",
    "network_information": "run.evidence",
    "AMPRegressor": "amp_estimators",
    "AMPClassifier": "amp_estimators",
    "GAMP": "algorithms.amp",
    "VAMP": "algorithms.vamp",
    "StateEvolution": "algorithms.state_evolution",
    "fixed_points": "run.fixed_points",
    "thresholds": "run.fixed_points",
    "phase_diagram": "run.fixed_points",
    "simulate": "run.simulate",
    "compare": "run.compare",
    "sweep": "run.sweep",
    "rerun": "run.sweep",
    "fit_finite_size": "run.finite_size",
    "save": "results",
    "load": "results",
    "ArgumentError": "errors",
    "UnreachableError": "errors",
    "ConvergenceWarning": "errors",
    "AccuracyWarning": "errors",
    "Interrupted": "run.simulate",
}
_MODULES = ("datasets", "plot")
__all__ = ["__version__", *_NAMES, *_MODULES]

if TYPE_CHECKING:
    from gaussequiv import datasets as datasets
    from gaussequiv import plot as plot
    from gaussequiv.algorithms.amp import GAMP as GAMP
    from gaussequiv.algorithms.state_evolution import StateEvolution as StateEvolution
    from gaussequiv.algorithms.vamp import VAMP as VAMP
    from gaussequiv.amp_estimators import AMPClassifier as AMPClassifier
    from gaussequiv.amp_estimators import AMPRegressor as AMPRegressor
    from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent as GaussianEquivalent
    from gaussequiv.equivalence.validity import Promise as Promise
    from gaussequiv.errors import AccuracyWarning as AccuracyWarning
    from gaussequiv.errors import ArgumentError as ArgumentError
    from gaussequiv.errors import ConvergenceWarning as ConvergenceWarning
    from gaussequiv.errors import UnreachableError as UnreachableError
    from gaussequiv.estimators import ConvolutionalFeatures as ConvolutionalFeatures
    from gaussequiv.estimators import DeepRandomFeatures as DeepRandomFeatures
    from gaussequiv.estimators import KernelFunction as KernelFunction
    from gaussequiv.estimators import refit_curve as refit_curve
    from gaussequiv.estimators import theory_curve as theory_curve
    from gaussequiv.ingredients.activations import Activation as Activation
    from gaussequiv.ingredients.binary import Binary as Binary
    from gaussequiv.ingredients.counts import Poisson as Poisson
    from gaussequiv.ingredients.counts import Quantised as Quantised
    from gaussequiv.ingredients.custom_loss import CustomLoss as CustomLoss
    from gaussequiv.ingredients.features import FeatureMatrix as FeatureMatrix
    from gaussequiv.ingredients.features import GivenFeatures as GivenFeatures
    from gaussequiv.ingredients.features import RandomFeatures as RandomFeatures
    from gaussequiv.ingredients.inputs import DataInputs as DataInputs
    from gaussequiv.ingredients.inputs import GaussianInputs as GaussianInputs
    from gaussequiv.ingredients.kernels import NNGP as NNGP
    from gaussequiv.ingredients.kernels import NTK as NTK
    from gaussequiv.ingredients.kernels import DotProductKernel as DotProductKernel
    from gaussequiv.ingredients.linear_target import LinearTarget as LinearTarget
    from gaussequiv.ingredients.log_likelihood import LogLikelihood as LogLikelihood
    from gaussequiv.ingredients.log_likelihood import RandomOutput as RandomOutput
    from gaussequiv.ingredients.networks import DeepNetwork as DeepNetwork
    from gaussequiv.ingredients.outputs import AbsoluteValue as AbsoluteValue
    from gaussequiv.ingredients.outputs import Output as Output
    from gaussequiv.ingredients.outputs import Relu as Relu
    from gaussequiv.ingredients.penalties import Quadratic as Quadratic
    from gaussequiv.ingredients.priors import Discrete as Discrete
    from gaussequiv.ingredients.priors import LogDensity as LogDensity
    from gaussequiv.ingredients.spectra import MarchenkoPastur as MarchenkoPastur
    from gaussequiv.ingredients.spectra import PowerLaw as PowerLaw
    from gaussequiv.ingredients.spectra import TwoLevel as TwoLevel
    from gaussequiv.learners.bayes_optimal import BayesOptimal as BayesOptimal
    from gaussequiv.learners.erm import ERM as ERM
    from gaussequiv.learners.named import SVM as SVM
    from gaussequiv.learners.named import ElasticNetRegression as ElasticNetRegression
    from gaussequiv.learners.named import Huber as Huber
    from gaussequiv.learners.named import Lasso as Lasso
    from gaussequiv.learners.named import Logistic as Logistic
    from gaussequiv.learners.ridge import Ridge as Ridge
    from gaussequiv.learners.separability import separability_threshold as separability_threshold
    from gaussequiv.problems.supervised import Problem as Problem
    from gaussequiv.results import load as load
    from gaussequiv.results import save as save
    from gaussequiv.run.compare import compare as compare
    from gaussequiv.run.evidence import network_information as network_information
    from gaussequiv.run.finite_size import fit_finite_size as fit_finite_size
    from gaussequiv.run.fixed_points import fixed_points as fixed_points
    from gaussequiv.run.fixed_points import phase_diagram as phase_diagram
    from gaussequiv.run.fixed_points import thresholds as thresholds
    from gaussequiv.run.information import information as information
    from gaussequiv.run.posterior import sample_posterior as sample_posterior
    from gaussequiv.run.simulate import Interrupted as Interrupted
    from gaussequiv.run.simulate import simulate as simulate
    from gaussequiv.run.solve import samples_for as samples_for
    from gaussequiv.run.solve import solve as solve
    from gaussequiv.run.sweep import rerun as rerun
    from gaussequiv.run.sweep import sweep as sweep
    from gaussequiv.run.track import track as track


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"gaussequiv.{_NAMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"gaussequiv.{name}")
    raise AttributeError(f"module 'gaussequiv' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
