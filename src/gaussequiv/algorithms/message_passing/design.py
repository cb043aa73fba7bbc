"""The matrix of a message-passing iteration, read block by block: dense, sparse, matrix-free, or rows made on the fly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gaussequiv.errors import FloatArray, fail

# numbers in a block: 2 MB stay in the cache between the two products, and OpenBLAS starts no threads, which can stall for small products
BLOCK_NUMBERS = 1 << 18
Respond = Callable[[slice, FloatArray, FloatArray | None], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True)
class RowSource:
    """Rows that a function makes when they are asked for: a matrix that is never stored.

    Parameters
    ----------
    shape : (int, int)
    rows : callable
        rows(start, stop) -> array of shape (stop - start, columns), the same at every call.
    block : int
        How many rows are asked for at once; every start is a multiple of it.

    Examples
    --------
    >>> source = RowSource((4, 2), lambda start, stop: np.ones((stop - start, 2)))
    >>> Design(source).product(np.ones(2)).tolist()
    [2.0, 2.0, 2.0, 2.0]
    """

    shape: tuple[int, int]
    rows: Callable[[int, int], FloatArray]
    block: int = 1024


@dataclass(frozen=True)
class Design:
    r"""Z = (X - centre)/scale, read in row blocks and never copied.

    Parameters
    ----------
    x : array, scipy.sparse matrix, LinearOperator, RowSource, or an object with `shape`, `@` and `.T` or `rmatvec`
        X, of shape (n, d). Sparse matrices stay sparse; an operator knows no squares of its entries.
    centre, scale : arrays of shape (d,), optional
        Subtracted from and divided out of the columns, without forming Z.

    One `sweep` over the blocks gives both products of a message-passing step: every block is used twice while it is in the cache.

    Examples
    --------
    >>> z = Design(np.eye(3), centre=np.full(3, 1 / 3))
    >>> z.product(np.array([3.0, 0.0, 0.0])).tolist()
    [2.0, -1.0, -1.0]
    """

    x: Any
    centre: FloatArray | None = None
    scale: FloatArray | None = None
    kind: str = field(init=False, default="dense")

    def __post_init__(self) -> None:
        if isinstance(self.x, RowSource):
            kind = "rows"
        elif isinstance(self.x, np.ndarray):
            kind = "dense"
        elif hasattr(self.x, "tocsr") and hasattr(self.x, "nnz"):
            kind = "sparse"
            if getattr(self.x, "format", "csr") != "csr":
                object.__setattr__(self, "x", self.x.tocsr())
        elif hasattr(self.x, "shape") and hasattr(self.x, "__matmul__") and (hasattr(self.x, "rmatvec") or hasattr(self.x, "T")):
            kind = "operator"
        else:
            raise fail("x", "an array, a sparse matrix, a RowSource, or an object with shape, @ and .T", self.x)
        if len(self.x.shape) != 2:
            raise fail("x", "a matrix", self.x)
        object.__setattr__(self, "kind", kind)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        n, d = self.x.shape
        return int(n), int(d)

    @property
    def squares(self) -> bool:
        """Whether squares of the entries are known, which one variance for each coordinate needs."""
        return self.kind != "operator"

    def _plain(self) -> bool:
        return self.kind in ("dense", "rows")

    def _blocks(self) -> Iterator[tuple[slice, Any]]:
        n, d = self.shape
        if self.kind == "operator":
            yield slice(0, n), self.x
            return
        rows = self.x.block if self.kind == "rows" else max(1, BLOCK_NUMBERS // d) if self.kind == "dense" else max(1, n // 8)
        for start in range(0, n, rows):
            at = slice(start, min(start + rows, n))
            yield at, self.x.rows(at.start, at.stop) if self.kind == "rows" else self.x[at]

    def rows_of(self, block: FloatArray) -> FloatArray:
        """Rows of Z from dense rows of X, copied where they are centred or scaled."""
        if self.centre is not None:
            block = block - self.centre
        return block / self.scale if self.scale is not None else block

    def sweep(self, a: FloatArray, c: FloatArray | None, respond: Respond) -> tuple[FloatArray, FloatArray | None]:
        """(Z'g, (Z o Z)'h) with g, h = respond(rows, Z a, (Z o Z) c), in one pass over the blocks; without c no squares are formed."""
        if c is not None and not self.squares:
            raise fail("variances", "'scalar' for a matrix-free operator, whose entries are not known", "vector")
        d = self.shape[1]
        back, square_back = np.zeros(d), np.zeros(d) if c is not None else None
        buffer: FloatArray = np.zeros((0, d))
        for at, block in self._blocks():
            if not self._plain():
                self._sparse_block(at, block, a, c, respond, back, square_back)
                continue
            block = self.rows_of(block)
            if c is None:
                g, _ = respond(at, block @ a, None)
            else:
                if len(buffer) < len(block):
                    buffer = np.empty_like(block, dtype=np.float64)
                squared = np.multiply(block, block, out=buffer[: len(block)])
                g, h = respond(at, block @ a, squared @ c)
                assert square_back is not None
                square_back += h @ squared
            back += g @ block
        return back, square_back

    def _sparse_block(
        self, at: slice, block: Any, a: FloatArray, c: FloatArray | None, respond: Respond, back: FloatArray, square_back: FloatArray | None
    ) -> None:
        """The same for blocks whose centred form would be dense: centre and scale act on the vectors."""
        scale = 1.0 if self.scale is None else self.scale
        m = self.centre
        left = a / scale
        product = np.asarray(block @ left) - (0.0 if m is None else float(m @ left))
        if c is None or square_back is None:
            g, _ = respond(at, product, None)
        else:
            squared, weight = block.multiply(block), c / np.square(scale)
            spread = squared @ weight
            if m is not None:
                spread = spread - 2 * (block @ (m * weight)) + float(m**2 @ weight)
            g, h = respond(at, product, np.maximum(spread, 0.0))
            total = squared.T @ h
            if m is not None:
                total = total - 2 * m * (block.T @ h) + m**2 * h.sum()
            square_back += total / np.square(scale)
        adjoint = block.rmatvec(g) if hasattr(block, "rmatvec") else block.T @ g
        back += (adjoint - (0.0 if m is None else m * g.sum())) / scale

    def adjoint(self, g: FloatArray) -> FloatArray:
        """Z'g."""
        if self.kind == "dense" and self.centre is None and self.scale is None:
            return np.asarray(self.x.T @ g)
        return self.sweep(np.zeros(self.shape[1]), None, lambda at, product, _: (g[at], product))[0]

    def product(self, a: FloatArray) -> FloatArray:
        """Z a, for a vector or a matrix of columns a."""
        if self.kind == "dense" and self.centre is None and self.scale is None:
            return np.asarray(self.x @ a)
        n = self.shape[0]
        out = np.empty((n, *a.shape[1:]))
        scale = 1.0 if self.scale is None else self.scale.reshape(-1, *[1] * (a.ndim - 1))
        for at, block in self._blocks():
            if self._plain():
                out[at] = self.rows_of(block) @ a
            else:
                left = a / scale
                out[at] = np.asarray(block @ left) - (0.0 if self.centre is None else self.centre @ left)
        return out
