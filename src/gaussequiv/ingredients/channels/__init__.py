"""Laws of the label given the target's field."""

from gaussequiv.ingredients.channels.base import Channel as Channel
from gaussequiv.ingredients.channels.base import GaussianNoise as GaussianNoise
from gaussequiv.ingredients.channels.base import Sign as Sign
from gaussequiv.ingredients.channels.base import hazard_product as hazard_product
from gaussequiv.ingredients.channels.base import sign_entropy as sign_entropy
