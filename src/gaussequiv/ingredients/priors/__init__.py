"""Priors of independent weights."""

from gaussequiv.ingredients.priors.base import FORMS as FORMS
from gaussequiv.ingredients.priors.base import Discrete as Discrete
from gaussequiv.ingredients.priors.base import GaussBernoulli as GaussBernoulli
from gaussequiv.ingredients.priors.base import Gaussian as Gaussian
from gaussequiv.ingredients.priors.base import Posterior as Posterior
from gaussequiv.ingredients.priors.base import Prior as Prior
from gaussequiv.ingredients.priors.base import Rademacher as Rademacher
from gaussequiv.ingredients.priors.base import SparseRademacher as SparseRademacher
from gaussequiv.ingredients.priors.base import get as get
