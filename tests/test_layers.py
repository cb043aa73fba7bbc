"""Imports go one way, files stay short: both read from the source."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

import gaussequiv

ROOT = Path(gaussequiv.__file__).parent
RANKS = {
    "errors": -1,
    "_text": -1,
    "_moved": -1,
    "_process": -1,
    "_progress": -1,
    "_version": -1,
    "_jax": 0,
    "_memory": 0,
    "numerics": 1,
    "curve": 1.2,
    "results": 1.5,
    "store": 1,
    "ingredients": 2,
    "equivalence": 3,
    "samples": 3.5,
    "algorithms": 4,
    "datasets": 4,
    "trained": 4.5,
    "learners": 5,
    "realdata": 5.5,
    "problems": 6,
    "run": 7,
    "plot": 8,
    "estimators": 8,
    "reproduce": 8,
    "testing": 8,
    "papers": 8.5,
    "cli": 9,
    "__main__": 10,
}
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("gaussequiv", *(part for part in parts if part != "__init__")))


def is_module(name: str) -> bool:
    place = ROOT.parent / name.replace(".", "/")
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


def imports(path: Path) -> list[tuple[str, int, bool, bool]]:
    """(module, line, whether inside a function, whether for typing only) of every import of the package's own modules."""
    found: list[tuple[str, int, bool, bool]] = []

    def visit(node: ast.AST, inside: bool, typing: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend((alias.name, node.lineno, inside, typing) for alias in node.names if alias.name.split(".")[0] == "gaussequiv")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} is a relative import"
            if (node.module or "").split(".")[0] == "gaussequiv":
                whole = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [name if node.module == "gaussequiv" or is_module(name) else str(node.module) for name in whole]
                found.extend((name, node.lineno, inside, typing) for name in dict.fromkeys(names))
        for child in ast.iter_child_nodes(node):
            function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            guard = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
            visit(child, inside or function, typing or guard)

    visit(ast.parse(path.read_text()), False, False)
    return found


def test_the_walk_sees_lazy_and_typing_imports():
    """Without this a broken walk would let everything pass."""
    seen = imports(ROOT / "learners" / "bayes" / "bayes_optimal.py")
    assert ("gaussequiv.algorithms.message_passing.sample_fit", True, False) in [(m, inside, typing) for m, _, inside, typing in seen]
    assert ("gaussequiv.samples.training_sample", False, True) in [(m, inside, typing) for m, _, inside, typing in seen]
    assert len(FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=lambda path: name_of(path).removeprefix("gaussequiv."))
def test_imports_point_down(path):
    own = room(name_of(path))
    assert own in RANKS, f"{own} is a new room: give it a rank"
    for module, line, _, _ in imports(path):
        other = room(module)
        where = f"{path.name}:{line} imports {module}"
        if other in ("", "__version__", "_moved"):  # the package itself only re-exports: the command line and plots may use it
            assert RANKS[own] >= 8, where
        elif other == own:
            continue
        else:
            assert RANKS[other] < RANKS[own], where


def test_no_circle_of_imports():
    """Between files, imports inside functions included: a late import hides a circle and does not open it."""
    graph = {name_of(path): {module for module, _, _, typing in imports(path) if not typing} for path in FILES}
    assert "gaussequiv.algorithms.message_passing.sample_fit" in graph["gaussequiv.learners.bayes.bayes_optimal"]
    assert "gaussequiv.ingredients.priors.named" in graph["gaussequiv.ingredients.targets.linear_target"]  # imported as a name of its room
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(name.removeprefix("gaussequiv.") for name in reversed(error.args[1])))


def private_names(path: Path) -> list[str]:
    """Private names of other modules that a module imports, or reads off an imported module."""
    found, modules = [], set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gaussequiv":
            for alias in node.names:
                if (ROOT.parent / str(node.module).replace(".", "/") / f"{alias.name}.py").exists():
                    modules.add(alias.asname or alias.name)
                elif alias.name.startswith("_") and alias.name != "__version__":
                    found.append(f"line {node.lineno}: {alias.name} of {node.module}")
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            if node.attr.startswith("_"):
                found.append(f"line {node.lineno}: {node.value.id}.{node.attr}")
    return found


def test_the_walk_sees_private_names(tmp_path):
    source = (
        "from gaussequiv import _jax\nfrom gaussequiv.run import solve as s\nfrom gaussequiv.run.solve import _stack\ns._citations(1)\n"
    )
    (tmp_path / "one.py").write_text(source)
    assert private_names(tmp_path / "one.py") == ["line 3: _stack of gaussequiv.run.solve", "line 4: s._citations"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: name_of(path).removeprefix("gaussequiv."))
def test_no_module_uses_a_private_name_of_another(path):
    assert not private_names(path)


def test_plot_reads_only_results():
    for path in (ROOT / "plot").glob("*.py"):
        for module, line, _, typing in imports(path):
            allowed = {"results", "errors", "plot"} | ({"equivalence"} if typing else set())
            assert room(module) in allowed, f"{path.name}:{line} imports {module}"


def test_numerics_and_errors_are_free_of_frameworks():
    for path in [ROOT / "errors.py", *sorted((ROOT / "numerics").glob("*.py"))]:
        text = path.read_text()
        if path.name in ("flow.py", "explicit_flow.py"):  # dynamics in time compile: their frameworks are imported where they run
            text = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
        assert not any(f"import {name}" in text for name in ("jax", "xarray", "matplotlib", "sklearn")), path.name


def test_files_are_short():
    sizes = {name_of(path): len(path.read_text().splitlines()) for path in FILES}
    assert max(sizes.values()) <= 500, max(sizes, key=lambda name: sizes[name])
    assert median(size for size in sizes.values() if size > 1) <= 150
