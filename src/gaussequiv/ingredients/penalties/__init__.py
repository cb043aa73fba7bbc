"""Penalties on a student's weights."""

from gaussequiv.ingredients.penalties.base import L1 as L1
from gaussequiv.ingredients.penalties.base import L2 as L2
from gaussequiv.ingredients.penalties.base import Averages as Averages
from gaussequiv.ingredients.penalties.base import ElasticNet as ElasticNet
from gaussequiv.ingredients.penalties.base import Penalty as Penalty
from gaussequiv.ingredients.penalties.base import PenaltyAverages as PenaltyAverages
from gaussequiv.ingredients.penalties.base import Quadratic as Quadratic
from gaussequiv.ingredients.penalties.base import Separable as Separable
from gaussequiv.ingredients.penalties.base import get as get
from gaussequiv.ingredients.penalties.base import names as names
