"""What students see in place of the raw inputs: features and kernels."""

from gaussequiv.ingredients.features.base import SAMPLED_FEATURES as SAMPLED_FEATURES
from gaussequiv.ingredients.features.base import SPECTRA as SPECTRA
from gaussequiv.ingredients.features.base import FeatureMap as FeatureMap
from gaussequiv.ingredients.features.base import FeatureMatrix as FeatureMatrix
from gaussequiv.ingredients.features.base import Features as Features
from gaussequiv.ingredients.features.base import GivenFeatures as GivenFeatures
from gaussequiv.ingredients.features.base import RandomFeatures as RandomFeatures
from gaussequiv.ingredients.features.base import StudentRows as StudentRows
