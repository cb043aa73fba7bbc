"""Small wrong changes of a source file: a sign, a sum for a difference, a factor 2, a dropped term, a flipped comparison, a constant.

Left out is what means nothing: documentation, messages, annotations, tolerances, budgets and guards against division by zero, which are
constants far from 1 and products with one.
"""

from __future__ import annotations

import ast
import difflib
import io
import random
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ARITHMETIC = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*")}
MASKS = {ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&")}
COMPARISONS = {
    ast.Lt: ("<", ">="),
    ast.LtE: ("<=", ">"),
    ast.Gt: (">", "<="),
    ast.GtE: (">=", "<"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
}
NAMES = {
    "maximum": "minimum",
    "fmax": "fmin",
    "max": "min",
    "argmax": "argmin",
    "any": "all",
    "cos": "sin",
    "cosh": "sinh",
    "floor": "ceil",
}
NAMES |= {new: old for old, new in NAMES.items()}
SPEAKS = re.compile(r"fail|warn|error|message|print|errstate|did_you_mean|closest|deprecat", re.IGNORECASE)
BUDGET = re.compile(r"tol|max_|steps$|eps|maxiter|limit$|order|nodes|BLOCK|CHUNK", re.IGNORECASE)
COARSE = re.compile(r"nodes|panels|leg|herm|clip|nan_to_num|allclose|linspace", re.IGNORECASE)
SILENT = {"__repr__", "__str__", "label", "to_dict", "card", "describe"}
SMALLEST, LARGEST = 1e-5, 1e5  # constants beyond are guards


@dataclass(frozen=True)
class Mutant:
    """One replacement of bytes in a file."""

    path: Path
    line: int
    start: int
    end: int
    new: str
    kind: str

    def apply(self, source: str) -> str:
        """The changed source."""
        raw = source.encode()
        return (raw[: self.start] + self.new.encode() + raw[self.end :]).decode()

    def diff(self, source: str) -> str:
        """The lines that differ."""
        lines = difflib.unified_diff(source.splitlines(), self.apply(source).splitlines(), lineterm="", n=0)
        return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


class _Finder:
    """Walks a syntax tree; positions are offsets in bytes."""

    def __init__(self, path: Path, source: str) -> None:
        self.path, self.raw, self.found, self.guards = path, source.encode(), list[Mutant](), set[str]()
        self.starts = [0]
        for line in self.raw.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        text_lines = source.splitlines(keepends=True)
        self.operators = [
            (self.starts[token.start[0] - 1] + len(text_lines[token.start[0] - 1][: token.start[1]].encode()), token.string)
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.OP or token.string in ("and", "or")
        ]

    def span(self, node: ast.AST) -> tuple[int, int]:
        first = self.starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        return first, self.starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def text(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.raw[start:end].decode()

    def add(self, node: ast.AST, start: int, end: int, new: str, kind: str) -> None:
        self.found.append(Mutant(self.path, node.lineno, start, end, new, kind))  # type: ignore[attr-defined]

    def replace(self, node: ast.AST, new: str, kind: str) -> None:
        self.add(node, *self.span(node), new, kind)

    def operator(self, node: ast.AST, left: ast.AST, right: ast.AST, old: str, new: str, kind: str) -> None:
        low, high = self.span(left)[1], self.span(right)[0]
        (at,) = [at for at, text in self.operators if low <= at < high and text == old]
        self.add(node, at, at + len(old), new, kind)

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, (ast.Raise, ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom)):
            return
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if SPEAKS.search(name):
                return
            if COARSE.search(name) or name.endswith("reshape"):  # its numbers are an accuracy, a guard or a placeholder
                return self.all(one for one in node.args if _number(one) is None)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if node.name in SILENT:
                return
            given = [*node.args.posonlyargs, *node.args.args]
            for argument, default in zip(given[len(given) - len(node.args.defaults) :], node.args.defaults, strict=True):
                self.named(argument.arg, default)
            for argument, only in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
                self.named(argument.arg, only)
            return self.all(node.body)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if (
            isinstance(node, ast.Assign)
            and node.col_offset == 0
            and isinstance(node.value, ast.BinOp)
            and isinstance(node.value.op, ast.BitOr)
        ):
            return  # a name for a type
        if isinstance(node, ast.AnnAssign):
            return self.named(ast.unparse(node.target), node.value)
        if isinstance(node, ast.Assign) and (pairs := _constants(node)):
            for name, value in pairs:
                if _number(value) is None:  # a table, not a tolerance or a budget
                    self.visit(value)
                elif self.guard(value):
                    self.guards.add(name)
            return
        if isinstance(node, ast.keyword):
            return self.named(node.arg or "", node.value)
        if isinstance(node, ast.BinOp) and self.guard(node):  # 1e-12 * size: the size of a guard
            return
        self.change(node)
        self.all(ast.iter_child_nodes(node))

    def all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def named(self, name: str, value: ast.AST | None) -> None:
        if value is not None and not BUDGET.search(name):
            self.visit(value)

    def change(self, node: ast.AST) -> None:
        if isinstance(node, ast.BinOp):
            self.binary(node)
        elif isinstance(node, ast.UnaryOp):
            if isinstance(node.op, (ast.USub, ast.Invert, ast.Not)) and _number(node.operand) is None:
                self.replace(node, f"({self.text(node.operand)})", "sign" if isinstance(node.op, ast.USub) else "negation")
        elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
            old, new = COMPARISONS[type(node.ops[0])]
            self.operator(node, node.left, node.comparators[0], old, new, "comparison")
        elif isinstance(node, ast.BoolOp) and len(node.values) == 2:
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            self.operator(node, *node.values, old, new, "logic")
        elif isinstance(node, ast.IfExp):
            new = f"({self.text(node.orelse)} if {self.text(node.test)} else {self.text(node.body)})"
            self.replace(node, new, "branches")
        elif isinstance(node, ast.Call):
            self.call(node)
        elif isinstance(node, ast.Constant):
            value = _number(node)
            if value is not None and (value == 0 or SMALLEST <= abs(value) <= LARGEST):
                self.replace(node, str(value + 1) if isinstance(value, int) else f"{2 * value if value else 1.0!r}", "constant")
        elif isinstance(node, (ast.Return, ast.Assign)):
            self.double(node.value)
        elif isinstance(node, ast.Dict):
            for value in node.values:
                self.double(value)

    def binary(self, node: ast.BinOp) -> None:
        if type(node.op) in MASKS:
            self.operator(node, node.left, node.right, *MASKS[type(node.op)], "logic")
        if type(node.op) not in ARITHMETIC or _texts(node) or self.guard(node.right) or self.guard(node.left):
            return
        old, new = ARITHMETIC[type(node.op)]
        self.operator(node, node.left, node.right, old, new, "arithmetic")
        self.replace(node, f"({self.text(node.left)})", "dropped term")
        if isinstance(node.op, (ast.Add, ast.Mult)):
            self.replace(node, f"({self.text(node.right)})", "dropped term")

    def call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
        if name in NAMES and not any(self.guard(argument) for argument in node.args):
            end = self.span(node.func)[1]
            self.add(node, end - len(name), end, NAMES[name], "function")
        if name == "where" and len(node.args) == 3:
            first, second = self.text(node.args[1]), self.text(node.args[2])
            self.add(node, self.span(node.args[1])[0], self.span(node.args[2])[1], f"{second}, {first}", "branches")

    def guard(self, node: ast.AST) -> bool:
        """A constant far from 1, by value or by name, or a product with one as a factor."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
            return self.guard(node.left) or self.guard(node.right)
        if isinstance(node, ast.Name):
            return node.id in self.guards
        value = _number(node)
        return value is not None and value != 0 and not SMALLEST <= abs(value) <= LARGEST

    def double(self, value: ast.AST | None) -> None:
        for part in value.elts if isinstance(value, ast.Tuple) else [value]:
            if isinstance(part, ast.BinOp) and type(part.op) in ARITHMETIC and not _texts(part) and not self.guard(part):
                self.replace(part, f"2 * ({self.text(part)})", "factor 2")


def _number(node: ast.AST) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value  # type: ignore[return-value]
    return None


def _constants(node: ast.Assign) -> list[tuple[str, ast.AST]]:
    """Names and values of A = 1 or A, B = 1, 2, where all names are those of constants."""
    (target, *_), value = node.targets, node.value
    names, values = [target], [value]
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        names, values = target.elts, value.elts
    pairs = [(name.id, one) for name, one in zip(names, values, strict=True) if isinstance(name, ast.Name) and name.id.isupper()]
    return list(pairs) if len(pairs) == len(names) else []


def _texts(node: ast.AST) -> bool:
    """Whether sums join texts or sequences."""
    kinds = (ast.JoinedStr, ast.List, ast.Tuple, ast.ListComp)
    return any(isinstance(part, kinds) or (isinstance(part, ast.Constant) and isinstance(part.value, str)) for part in ast.walk(node))


def mutants_of(path: Path, source: str) -> list[Mutant]:
    """All changes of one file, in order."""
    finder = _Finder(path, source)
    finder.visit(ast.parse(source))
    return sorted(finder.found, key=lambda one: (one.start, one.end, one.new))


def is_change(mutant: Mutant, source: str) -> bool:
    """Whether what is left is a program, and another one."""
    try:
        return ast.dump(ast.parse(mutant.apply(source))) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


def chosen(files: Iterable[Path], root: Path, count: int, seed: int) -> Iterator[Mutant]:
    """`count` changes drawn without replacement, at most one a line; every line that can be changed is equally likely."""
    sources, lines = {}, dict[tuple[Path, int], list[Mutant]]()
    for file in sorted(files):
        path = file.relative_to(root)
        sources[path] = file.read_text()
        for mutant in mutants_of(path, sources[path]):
            lines.setdefault((path, mutant.line), []).append(mutant)
    rng, places = random.Random(seed), list(lines)
    rng.shuffle(places)
    for path, line in places:
        if count == 0:
            return
        options = [one for one in lines[path, line] if is_change(one, sources[path])]
        if options:
            count -= 1
            yield rng.choice(options)
