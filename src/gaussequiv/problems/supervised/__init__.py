"""Inputs x target x features x learner."""

from gaussequiv.problems.supervised.description import Problem as Problem
from gaussequiv.problems.supervised.dictionary import FEATURES as FEATURES
from gaussequiv.problems.supervised.dictionary import LEARNERS as LEARNERS
from gaussequiv.problems.supervised.dictionary import TARGETS as TARGETS
from gaussequiv.problems.supervised.dictionary import from_dict as from_dict
