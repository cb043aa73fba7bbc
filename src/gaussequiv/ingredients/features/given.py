"""Features and kernels as users give them, each in its role."""

from __future__ import annotations

from typing import Any

from gaussequiv.ingredients.adopted import adopted, missing
from gaussequiv.ingredients.features.base import Features
from gaussequiv.ingredients.features.kernels import Kernel


def get(features: Any) -> Features:
    """Features or a kernel as they are, or a user's object with its own members and the role's defaults."""
    role = Features if missing(features, ("linearise",)) else Kernel
    found: Features = adopted(features, role, ("modes", "to_dict"), "features")
    return found
