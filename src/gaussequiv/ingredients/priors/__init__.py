"""Priors of independent weights."""

from gaussequiv.ingredients.priors.base import Posterior as Posterior
from gaussequiv.ingredients.priors.base import Prior as Prior
from gaussequiv.ingredients.priors.base import ScalarPosterior as ScalarPosterior
from gaussequiv.ingredients.priors.log_density import LogDensity as LogDensity
from gaussequiv.ingredients.priors.named import FORMS as FORMS
from gaussequiv.ingredients.priors.named import Discrete as Discrete
from gaussequiv.ingredients.priors.named import GaussBernoulli as GaussBernoulli
from gaussequiv.ingredients.priors.named import Gaussian as Gaussian
from gaussequiv.ingredients.priors.named import Rademacher as Rademacher
from gaussequiv.ingredients.priors.named import SparseRademacher as SparseRademacher
from gaussequiv.ingredients.priors.named import get as get
