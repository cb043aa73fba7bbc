"""Laws of the inputs and their spectra."""

from gaussequiv.ingredients.inputs.base import BLOCK as BLOCK
from gaussequiv.ingredients.inputs.base import DataInputs as DataInputs
from gaussequiv.ingredients.inputs.base import GaussianInputs as GaussianInputs
from gaussequiv.ingredients.inputs.base import Inputs as Inputs
from gaussequiv.ingredients.inputs.base import Rows as Rows
from gaussequiv.ingredients.inputs.generated import GeneratorInputs as GeneratorInputs
