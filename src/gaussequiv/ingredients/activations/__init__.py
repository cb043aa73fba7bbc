"""Activations, and the hidden layers of a description. `named` registers the names that `get` knows."""

from gaussequiv.ingredients.activations.base import Activation as Activation
from gaussequiv.ingredients.activations.base import Coefficients as Coefficients
from gaussequiv.ingredients.activations.base import Dual as Dual
from gaussequiv.ingredients.activations.base import get as get
from gaussequiv.ingredients.activations.base import names as names
from gaussequiv.ingredients.activations.closed_form import ClosedForm as ClosedForm
from gaussequiv.ingredients.activations.erf import Erf as Erf
from gaussequiv.ingredients.activations.named import hermite as hermite
from gaussequiv.ingredients.activations.piecewise_linear import PiecewiseLinear as PiecewiseLinear
from gaussequiv.ingredients.activations.piecewise_linear import leaky_relu as leaky_relu
from gaussequiv.ingredients.activations.sign import Sign as Sign
from gaussequiv.ingredients.activations.sign import SignActivation as SignActivation
from gaussequiv.ingredients.activations.sine import Sine as Sine
