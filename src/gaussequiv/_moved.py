"""Import paths of release 0.1.0 that moved: they stay valid and give the same objects."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGE = "gaussequiv"
MOVED = {
    "algorithms.amp": "algorithms.message_passing.gamp",
    "algorithms.annealing": "algorithms.networks.annealing",
    "algorithms.annealing_moves": "algorithms.networks.annealing_moves",
    "algorithms.annealing_target": "algorithms.networks.annealing_target",
    "algorithms.checkpoint": "store.checkpoint",
    "algorithms.design": "algorithms.message_passing.design",
    "algorithms.evidence": "algorithms.networks.evidence",
    "algorithms.gaussian_evidence": "algorithms.networks.gaussian_evidence",
    "algorithms.hmc": "algorithms.networks.hmc",
    "algorithms.hyperparameters": "algorithms.message_passing.tuned",
    "algorithms.marginal_readout": "algorithms.networks.marginal_readout",
    "algorithms.network_density": "algorithms.networks.density",
    "algorithms.network_observables": "algorithms.networks.observables",
    "algorithms.sampling": "algorithms.networks.sampling",
    "algorithms.scaled_prior": "algorithms.message_passing.scaled_prior",
    "algorithms.state_evolution": "algorithms.message_passing.state_evolution",
    "algorithms.vamp": "algorithms.message_passing.vamp",
    "amp_estimators": "estimators.amp",
    "ingredients.base_loss": "ingredients.losses.base",
    "ingredients.binary": "ingredients.channels.binary",
    "ingredients.counts": "ingredients.channels.counts",
    "ingredients.custom_loss": "ingredients.losses.custom",
    "ingredients.dual_kernels": "ingredients.activations.dual_kernels",
    "ingredients.feature_deterministic": "ingredients.features.deterministic",
    "ingredients.feature_modes": "ingredients.features.modes",
    "ingredients.features.dual_kernels": "ingredients.activations.dual_kernels",
    "ingredients.features.neurons": "ingredients.activations.neurons",
    "ingredients.kernels": "ingredients.features.kernels",
    "ingredients.layers": "ingredients.activations.layers",
    "ingredients.linear_target": "ingredients.targets.linear_target",
    "ingredients.links": "ingredients.channels.links",
    "ingredients.log_density": "ingredients.priors.log_density",
    "ingredients.log_likelihood": "ingredients.channels.log_likelihood",
    "ingredients.margin_losses": "ingredients.losses.margin",
    "ingredients.named_channels": "ingredients.channels.named",
    "ingredients.networks": "ingredients.targets.deep_network",
    "ingredients.neurons": "ingredients.activations.neurons",
    "ingredients.outputs": "ingredients.channels.outputs",
    "ingredients.quadrature_channel": "ingredients.channels.quadrature",
    "ingredients.spectra": "ingredients.inputs.spectra",
    "learners.averages": "learners.convex.averages",
    "learners.bayes_optimal": "learners.bayes.bayes_optimal",
    "learners.distributions": "learners.convex.distributions",
    "learners.empirical": "samples.empirical",
    "learners.erm": "learners.convex.erm",
    "learners.erm_model": "learners.convex.model",
    "learners.erm_optimum": "learners.convex.optimum",
    "learners.finite_erm": "learners.convex.finite_fit",
    "learners.fixed_points": "learners.bayes.fixed_points",
    "learners.full_knowledge": "learners.bayes.full_knowledge",
    "learners.general_bayes": "learners.bayes.general_bayes",
    "learners.information": "learners.bayes.information",
    "learners.kernel_sample": "samples.kernel_sample",
    "learners.labels": "learners.convex.labels",
    "learners.mismatch": "learners.bayes.mismatch",
    "learners.modes": "learners.convex.modes",
    "learners.named": "learners.convex.named",
    "learners.optimal_lam": "learners.convex.optimal_lam",
    "learners.output_averages": "learners.convex.output_averages",
    "learners.prior_side": "equivalence.prior_side",
    "learners.ridge": "learners.convex.ridge",
    "learners.saddle_point": "learners.convex.saddle_point",
    "learners.sample": "samples.training_sample",
    "learners.scores": "learners.convex.scores",
    "learners.sensitivity": "learners.convex.sensitivity",
    "learners.separability": "learners.convex.separability",
    "papers.camilli2025_fit": "reproduce.power_fit",
    "papers.catalogue": "reproduce.catalogue",
    "papers.drawing": "reproduce.drawing",
    "papers.instances": "reproduce.instances",
    "papers.paper": "reproduce.paper",
    "papers.reproduce": "reproduce.reproduce",
    "problems.fields": "problems.supervised.fields",
    "run.progress": "_progress",
    "run.scored": "problems.supervised.scored",
    "run.students": "problems.supervised.students",
    "run.teachers": "problems.supervised.teacher",
}
# Modules that were split: where the names of the old one are that the first new one lacks.
SPLIT = {
    "algorithms.amp": (
        "algorithms.message_passing.start",
        "algorithms.message_passing.scaled_prior",
        "algorithms.message_passing.sample_fit",
    ),
}


class _Forward(Loader):
    """A module of the old name, whose attributes are those of the new one."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = ModuleType(spec.name)
        old = spec.name.removeprefix(f"{PACKAGE}.")
        target = import_module(f"{PACKAGE}.{MOVED[old]}")
        module.__doc__ = target.__doc__

        def read(name: str) -> Any:
            for path in () if hasattr(target, name) else SPLIT.get(old, ()):
                part = import_module(f"{PACKAGE}.{path}")
                if hasattr(part, name):
                    return getattr(part, name)
            return getattr(target, name)

        module.__getattr__ = read  # type: ignore[method-assign]
        module.__dir__ = lambda: dir(target)  # type: ignore[method-assign]
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to run."""


class _Finder(MetaPathFinder):
    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname.removeprefix(f"{PACKAGE}.") not in MOVED or not fullname.startswith(f"{PACKAGE}."):
            return None
        return ModuleSpec(fullname, _Forward())


def install() -> None:
    """Let old paths be imported; once, and after the real modules."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
