"""`Range`: between which ends a number may be searched, and on which scale."""

from __future__ import annotations

from typing import NamedTuple


class Range(NamedTuple):
    """Ends of an interval; `logarithmic` where equal ratios count as equal steps."""

    low: float
    high: float
    logarithmic: bool = False
