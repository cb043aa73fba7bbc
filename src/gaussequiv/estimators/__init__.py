"""The scikit-learn door."""

from gaussequiv.estimators.candidates import weigh_candidates as weigh_candidates
from gaussequiv.estimators.curves import last_step as last_step
from gaussequiv.estimators.curves import prepare as prepare
from gaussequiv.estimators.curves import refit_curve as refit_curve
from gaussequiv.estimators.curves import theory_curve as theory_curve
from gaussequiv.estimators.feature_maps import ConvolutionalFeatures as ConvolutionalFeatures
from gaussequiv.estimators.feature_maps import DeepRandomFeatures as DeepRandomFeatures
from gaussequiv.estimators.kernel_function import KernelFunction as KernelFunction
from gaussequiv.estimators.needed_rows import rows_for as rows_for
