"""Laws of the label given the target's field."""

from gaussequiv.ingredients.channels import base as _base
from gaussequiv.ingredients.channels.base import BinaryLabel as BinaryLabel
from gaussequiv.ingredients.channels.base import Channel as Channel
from gaussequiv.ingredients.channels.base import Likelihood as Likelihood
from gaussequiv.ingredients.channels.base import RealOutput as RealOutput
from gaussequiv.ingredients.channels.gaussian import GaussianNoise as GaussianNoise
from gaussequiv.ingredients.channels.sign import Sign as Sign
from gaussequiv.ingredients.channels.sign import hazard_product as hazard_product
from gaussequiv.ingredients.channels.sign import sign_entropy as sign_entropy

for _piece in (GaussianNoise, Sign, hazard_product, sign_entropy):  # `base` had them in release 0.1.0
    setattr(_base, _piece.__name__, _piece)
