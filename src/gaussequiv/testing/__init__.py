"""Checks that a piece of one's own keeps its contract, for one's own tests: each takes seconds and says what to mend.

check_loss, check_prior, check_activation, check_channel      ingredients
check_learner, check_problem                                  what the verbs run
"""

from __future__ import annotations

from gaussequiv.testing.activations import check_activation as check_activation
from gaussequiv.testing.channels import check_channel as check_channel
from gaussequiv.testing.contract import ContractError as ContractError
from gaussequiv.testing.learners import check_learner as check_learner
from gaussequiv.testing.losses import check_loss as check_loss
from gaussequiv.testing.priors import check_prior as check_prior
from gaussequiv.testing.problems import check_problem as check_problem
