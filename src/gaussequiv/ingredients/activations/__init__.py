"""Activations, and the hidden layers of a description."""

from gaussequiv.ingredients.activations.base import Activation as Activation
from gaussequiv.ingredients.activations.base import Coefficients as Coefficients
from gaussequiv.ingredients.activations.base import Dual as Dual
from gaussequiv.ingredients.activations.base import Erf as Erf
from gaussequiv.ingredients.activations.base import PiecewiseLinear as PiecewiseLinear
from gaussequiv.ingredients.activations.base import Sign as Sign
from gaussequiv.ingredients.activations.base import SignActivation as SignActivation
from gaussequiv.ingredients.activations.base import Sine as Sine
from gaussequiv.ingredients.activations.base import get as get
from gaussequiv.ingredients.activations.base import hermite as hermite
from gaussequiv.ingredients.activations.base import leaky_relu as leaky_relu
from gaussequiv.ingredients.activations.base import names as names
