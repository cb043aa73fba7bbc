"""Exact learning curves of deep random networks through their Gaussian equivalents, and simulations of the real thing.

Importing this package is light: names load on first use, no JAX, no global flag.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gaussequiv import _moved
from gaussequiv._version import __version__ as __version__

_NAMES = {
    "Activation": "ingredients.activations.base",
    "DeepNetwork": "ingredients.targets.deep_network",
    "GaussianInputs": "ingredients.inputs.base",
    "DataInputs": "ingredients.inputs.base",
    "GeneratorInputs": "ingredients.inputs.generated",
    "SampledInputs": "realdata.sampled_inputs",
    "RandomFeatures": "ingredients.features.base",
    "GivenFeatures": "ingredients.features.base",
    "FeatureMatrix": "ingredients.features.base",
    "NNGP": "ingredients.features.kernels",
    "NTK": "ingredients.features.kernels",
    "DotProductKernel": "ingredients.features.kernels",
    "PowerLaw": "ingredients.inputs.spectra",
    "TwoLevel": "ingredients.inputs.spectra",
    "MarchenkoPastur": "ingredients.inputs.spectra",
    "GaussianEquivalent": "equivalence.gaussian_equivalent",
    "BayesOptimal": "learners.bayes.bayes_optimal",
    "Ridge": "learners.convex.ridge",
    "ERM": "learners.convex.erm",
    "RidgeEnsemble": "learners.convex.ridge_ensemble",
    "Logistic": "learners.convex.named",
    "SVM": "learners.convex.named",
    "Huber": "learners.convex.named",
    "Lasso": "learners.convex.named",
    "ElasticNetRegression": "learners.convex.named",
    "CustomLoss": "ingredients.losses.custom",
    "Binary": "ingredients.channels.binary",
    "Output": "ingredients.channels.outputs",
    "AbsoluteValue": "ingredients.channels.outputs",
    "Relu": "ingredients.channels.outputs",
    "Quantised": "ingredients.channels.counts",
    "Poisson": "ingredients.channels.counts",
    "LogLikelihood": "ingredients.channels.log_likelihood",
    "RandomOutput": "ingredients.channels.log_likelihood",
    "LinearTarget": "ingredients.targets.linear_target",
    "LogDensity": "ingredients.priors.log_density",
    "Discrete": "ingredients.priors.named",
    "Quadratic": "ingredients.penalties.base",
    "separability_threshold": "learners.convex.separability",
    "theory_curve": "estimators.curves",
    "refit_curve": "estimators.curves",
    "rows_for": "estimators.needed_rows",
    "weigh_candidates": "estimators.candidates",
    "DeepRandomFeatures": "estimators.feature_maps",
    "ConvolutionalFeatures": "estimators.feature_maps",
    "KernelFunction": "estimators.kernel_function",
    "Problem": "problems.supervised.description",
    "SpikedWigner": "problems.spiked_wigner.description",
    "ExtensiveWidth": "problems.extensive_width.description",
    "OnlineSGD": "problems.online_sgd.description",
    "TwoLayer": "problems.online_sgd.two_layer",
    "RandomGenerator": "ingredients.generators.random_layers",
    "FunctionGenerator": "ingredients.generators.function",
    "train_generator": "run.train_generator",
    "load_generator": "trained.files",
    "solve": "run.solve",
    "samples_for": "run.solve",
    "information": "run.information",
    "diagnose": "run.diagnose",
    "Promise": "equivalence.validity",
    "track": "run.track",
    "sample_posterior": "run.posterior",
    "network_information": "run.evidence",
    "AMPRegressor": "estimators.amp",
    "AMPClassifier": "estimators.amp",
    "GAMP": "algorithms.message_passing.gamp",
    "VAMP": "algorithms.message_passing.vamp",
    "StateEvolution": "algorithms.message_passing.state_evolution",
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
    "Interrupted": "run.interrupted",
}
_MODULES = ("datasets", "plot")
__all__ = ["__version__", *_NAMES, *_MODULES]

if TYPE_CHECKING:
    from gaussequiv import datasets as datasets
    from gaussequiv import plot as plot
    from gaussequiv.algorithms.message_passing.gamp import GAMP as GAMP
    from gaussequiv.algorithms.message_passing.state_evolution import StateEvolution as StateEvolution
    from gaussequiv.algorithms.message_passing.vamp import VAMP as VAMP
    from gaussequiv.equivalence.gaussian_equivalent import GaussianEquivalent as GaussianEquivalent
    from gaussequiv.equivalence.validity import Promise as Promise
    from gaussequiv.errors import AccuracyWarning as AccuracyWarning
    from gaussequiv.errors import ArgumentError as ArgumentError
    from gaussequiv.errors import ConvergenceWarning as ConvergenceWarning
    from gaussequiv.errors import UnreachableError as UnreachableError
    from gaussequiv.estimators.amp import AMPClassifier as AMPClassifier
    from gaussequiv.estimators.amp import AMPRegressor as AMPRegressor
    from gaussequiv.estimators.candidates import weigh_candidates as weigh_candidates
    from gaussequiv.estimators.curves import refit_curve as refit_curve
    from gaussequiv.estimators.curves import theory_curve as theory_curve
    from gaussequiv.estimators.feature_maps import ConvolutionalFeatures as ConvolutionalFeatures
    from gaussequiv.estimators.feature_maps import DeepRandomFeatures as DeepRandomFeatures
    from gaussequiv.estimators.kernel_function import KernelFunction as KernelFunction
    from gaussequiv.estimators.needed_rows import rows_for as rows_for
    from gaussequiv.ingredients.activations.base import Activation as Activation
    from gaussequiv.ingredients.channels.binary import Binary as Binary
    from gaussequiv.ingredients.channels.counts import Poisson as Poisson
    from gaussequiv.ingredients.channels.counts import Quantised as Quantised
    from gaussequiv.ingredients.channels.log_likelihood import LogLikelihood as LogLikelihood
    from gaussequiv.ingredients.channels.log_likelihood import RandomOutput as RandomOutput
    from gaussequiv.ingredients.channels.outputs import AbsoluteValue as AbsoluteValue
    from gaussequiv.ingredients.channels.outputs import Output as Output
    from gaussequiv.ingredients.channels.outputs import Relu as Relu
    from gaussequiv.ingredients.features.base import FeatureMatrix as FeatureMatrix
    from gaussequiv.ingredients.features.base import GivenFeatures as GivenFeatures
    from gaussequiv.ingredients.features.base import RandomFeatures as RandomFeatures
    from gaussequiv.ingredients.features.kernels import NNGP as NNGP
    from gaussequiv.ingredients.features.kernels import NTK as NTK
    from gaussequiv.ingredients.features.kernels import DotProductKernel as DotProductKernel
    from gaussequiv.ingredients.generators.function import FunctionGenerator as FunctionGenerator
    from gaussequiv.ingredients.generators.random_layers import RandomGenerator as RandomGenerator
    from gaussequiv.ingredients.inputs.base import DataInputs as DataInputs
    from gaussequiv.ingredients.inputs.base import GaussianInputs as GaussianInputs
    from gaussequiv.ingredients.inputs.generated import GeneratorInputs as GeneratorInputs
    from gaussequiv.ingredients.inputs.spectra import MarchenkoPastur as MarchenkoPastur
    from gaussequiv.ingredients.inputs.spectra import PowerLaw as PowerLaw
    from gaussequiv.ingredients.inputs.spectra import TwoLevel as TwoLevel
    from gaussequiv.ingredients.losses.custom import CustomLoss as CustomLoss
    from gaussequiv.ingredients.penalties.base import Quadratic as Quadratic
    from gaussequiv.ingredients.priors.log_density import LogDensity as LogDensity
    from gaussequiv.ingredients.priors.named import Discrete as Discrete
    from gaussequiv.ingredients.targets.deep_network import DeepNetwork as DeepNetwork
    from gaussequiv.ingredients.targets.linear_target import LinearTarget as LinearTarget
    from gaussequiv.learners.bayes.bayes_optimal import BayesOptimal as BayesOptimal
    from gaussequiv.learners.convex.erm import ERM as ERM
    from gaussequiv.learners.convex.named import SVM as SVM
    from gaussequiv.learners.convex.named import ElasticNetRegression as ElasticNetRegression
    from gaussequiv.learners.convex.named import Huber as Huber
    from gaussequiv.learners.convex.named import Lasso as Lasso
    from gaussequiv.learners.convex.named import Logistic as Logistic
    from gaussequiv.learners.convex.ridge import Ridge as Ridge
    from gaussequiv.learners.convex.ridge_ensemble import RidgeEnsemble as RidgeEnsemble
    from gaussequiv.learners.convex.separability import separability_threshold as separability_threshold
    from gaussequiv.problems.extensive_width.description import ExtensiveWidth as ExtensiveWidth
    from gaussequiv.problems.online_sgd.description import OnlineSGD as OnlineSGD
    from gaussequiv.problems.online_sgd.two_layer import TwoLayer as TwoLayer
    from gaussequiv.problems.spiked_wigner.description import SpikedWigner as SpikedWigner
    from gaussequiv.problems.supervised.description import Problem as Problem
    from gaussequiv.realdata.sampled_inputs import SampledInputs as SampledInputs
    from gaussequiv.results import load as load
    from gaussequiv.results import save as save
    from gaussequiv.run.compare import compare as compare
    from gaussequiv.run.diagnose import diagnose as diagnose
    from gaussequiv.run.evidence import network_information as network_information
    from gaussequiv.run.finite_size import fit_finite_size as fit_finite_size
    from gaussequiv.run.fixed_points import fixed_points as fixed_points
    from gaussequiv.run.fixed_points import phase_diagram as phase_diagram
    from gaussequiv.run.fixed_points import thresholds as thresholds
    from gaussequiv.run.information import information as information
    from gaussequiv.run.interrupted import Interrupted as Interrupted
    from gaussequiv.run.posterior import sample_posterior as sample_posterior
    from gaussequiv.run.simulate import simulate as simulate
    from gaussequiv.run.solve import samples_for as samples_for
    from gaussequiv.run.solve import solve as solve
    from gaussequiv.run.sweep import rerun as rerun
    from gaussequiv.run.sweep import sweep as sweep
    from gaussequiv.run.track import track as track
    from gaussequiv.run.train_generator import train_generator as train_generator
    from gaussequiv.trained.files import load_generator as load_generator


_moved.install()


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"gaussequiv.{_NAMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"gaussequiv.{name}")
    hint = ""
    if not name.startswith("_"):  # nobody mistypes those: imports and inspection look for them, and must stay light
        from gaussequiv.errors import did_you_mean

        hint = f".{did_you_mean(name, __all__)}"
    raise AttributeError(f"module 'gaussequiv' has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted(__all__)
