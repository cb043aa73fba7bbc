"""Generative models: inputs x = G(c) of Gaussian latents c, with their moments."""

from gaussequiv.ingredients.generators.base import DrawnGenerator as DrawnGenerator
from gaussequiv.ingredients.generators.base import Generator as Generator
from gaussequiv.ingredients.generators.base import GeneratorMoments as GeneratorMoments
from gaussequiv.ingredients.generators.function import FunctionGenerator as FunctionGenerator
from gaussequiv.ingredients.generators.random_layers import RandomGenerator as RandomGenerator
