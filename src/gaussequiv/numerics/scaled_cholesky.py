"""Cholesky factors of positive semi-definite matrices whose scales differ by many decades."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from gaussequiv.errors import FloatArray

_LEAST, _FACTOR = 1e-14, 100.0


class ScaledCholesky:
    """Solves M x = r for M positive semi-definite: unit diagonal, then the least multiple of the identity that lets it be factored.

    One step of refinement takes back most of what was added. `matrix` is overwritten.
    """

    def __init__(self, matrix: FloatArray) -> None:
        diagonal = matrix.diagonal().copy()
        self._scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        matrix *= self._scale[:, None]
        matrix *= self._scale
        self._matrix, added = matrix, _LEAST
        while True:
            raised = matrix.copy()
            raised[np.diag_indices_from(raised)] += added
            try:
                self._factor = linalg.cho_factor(raised, lower=True, overwrite_a=True, check_finite=False)
            except linalg.LinAlgError:
                added *= _FACTOR
                if not added < 1e6:
                    raise
            else:
                return

    def solve(self, right: FloatArray) -> FloatArray:
        """x."""
        scaled = right * self._scale
        x = linalg.cho_solve(self._factor, scaled, check_finite=False)
        x += linalg.cho_solve(self._factor, scaled - self._matrix @ x, check_finite=False)
        return np.asarray(x * self._scale)
