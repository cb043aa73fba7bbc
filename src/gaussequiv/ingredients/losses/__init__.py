"""Losses of empirical risk minimisation."""

from gaussequiv.ingredients.losses.named import Absolute as Absolute
from gaussequiv.ingredients.losses.named import Huber as Huber
from gaussequiv.ingredients.losses.named import Quantile as Quantile
from gaussequiv.ingredients.losses.named import Square as Square
from gaussequiv.ingredients.losses.named import get as get
from gaussequiv.ingredients.losses.named import names as names
