"""No room asks an object of the package what it is: what a piece can do stands in its contract (a walk of the source).

`hasattr` and `getattr` remain where a foreign object is read (scikit-learn, SciPy, pandas), where an object of a user's own comes in
through its one door, and where a name is data (fields by name). Each place is listed with its number and reason: a new one asks for a
declaration in the contract instead, and a place that is gone leaves the list.
"""

import ast
from pathlib import Path

import pytest

import gaussequiv

ROOT = Path(gaussequiv.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
LEARNERS = {"learner", "learners", "fit", "fits", "erm", "one_learner"}
LISTED = {
    "__init__.py": (1, "public names on demand"),
    "_jax.py": (2, "functions of jax.numpy by name"),
    "_moved.py": (4, "names of modules of before"),
    "_process.py": (2, "signals of this system"),
    "_text.py": (3, "names of a user's function"),
    "algorithms/message_passing/design.py": (8, "SciPy's matrices and operators"),
    "cli/base.py": (1, "what an interrupt has finished"),
    "estimators/amp.py": (3, "SciPy's sparse matrices"),
    "estimators/kernel_function.py": (1, "kernels"),
    "estimators/refits.py": (2, "tables, arrays and lists of rows"),
    "estimators/transformers.py": (3, "scikit-learn's steps"),
    "ingredients/activations/base.py": (1, "named activations on demand"),
    "ingredients/adopted.py": (3, "the door of pieces of a user's own"),
    "ingredients/targets/deep_network.py": (1, "fields by name"),
    "learners/base.py": (4, "the door of what fits of a user's own give"),
    "learners/bayes/information.py": (1, "columns by name"),
    "learners/convex/saddle_point.py": (3, "columns by name"),
    "problems/base.py": (1, "the door of problems of a user's own"),
    "problems/online_sgd/description.py": (3, "fields by name"),
    "problems/dictionary.py": (1, "a user's problem, or what builds it"),
    "realdata/reading.py": (4, "pandas, SciPy and scikit-learn objects"),
    "results.py": (1, "versions of packages"),
    "run/fixed_points.py": (1, "the word of a value"),
    "run/provenance.py": (1, "methods by name"),
    "run/recorded.py": (2, "anything that claims to be a result, methods by name"),
}


def probes(text: str) -> list[ast.Call]:
    """All calls of hasattr and getattr."""
    calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return [node for node in calls if isinstance(node.func, ast.Name) and node.func.id in ("hasattr", "getattr")]


def names_in(node: ast.AST) -> set[str]:
    """Names and attributes of an expression."""
    walk = list(ast.walk(node))
    return {n.id for n in walk if isinstance(n, ast.Name)} | {n.attr for n in walk if isinstance(n, ast.Attribute)}


def test_the_walk_sees_probes():
    text = "hasattr(plan.problem.learners[0], 'loss')\nx = getattr(getattr(learner, 'loss', None), 'kind', '')\n"
    assert [sorted(names_in(call.args[0]) & LEARNERS) for call in probes(text)] == [["learners"], ["learner"], ["learner"]]


def test_no_learner_and_no_fit_is_probed():
    for path in FILES:
        for call in probes(path.read_text()):
            asked = names_in(call.args[0]) & LEARNERS
            assert not asked, f"{path.name}:{call.lineno} probes {', '.join(asked)}: declare it in gaussequiv.learners.base.Learner"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_listed_probes_are_those_that_remain(path):
    number, reason = LISTED.get(path.relative_to(ROOT).as_posix(), (0, "not listed"))
    assert len(probes(path.read_text())) == number, reason


NAMED = {"l2", "l1", "quadratic", "elastic_net", "square", "logistic", "hinge", "exponential", "huber", "ridge", "bayes", "erm"}


def told_by_name(text: str) -> list[tuple[int, set[str]]]:
    """Lines that compare `x.name`, or a variable that holds it, with a word of NAMED."""
    tree = ast.parse(text)
    holders = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
            if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(node.targets[0].elts, node.value.elts, strict=False))
            holders |= {t.id for t, v in pairs if isinstance(t, ast.Name) and isinstance(v, ast.Attribute) and v.attr == "name"}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            is_name = isinstance(node.left, ast.Attribute) and node.left.attr == "name"
            if is_name or (isinstance(node.left, ast.Name) and node.left.id in holders):
                words = {n.value for right in node.comparators for n in ast.walk(right) if isinstance(n, ast.Constant)} & NAMED
                found += [(node.lineno, words)] if words else []
    return found


def test_the_walk_sees_names():
    text = "if loss.name == 'hinge':\n    pass\nV, name = 1, loss.name\nname in ('hinge', 'other')\nword == 'hinge'"
    assert told_by_name(text) == [(1, {"hinge"}), (4, {"hinge"})]


def test_no_learner_loss_or_penalty_is_told_by_its_name():
    """`x.name == "l2"`: ask for what makes it so instead, as a user's own has another name."""
    for path in FILES:
        for line, words in told_by_name(path.read_text()):
            raise AssertionError(f"{path.name}:{line} compares a name with {words}")
