"""A word means one thing: no class and no public function has a namesake in another module."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import gaussequiv

ROOT = Path(gaussequiv.__file__).parent
# Verbs that several modules answer in the same sense, and that are called through their modules: `losses.get`, `checkpoint.write`.
CONTRACTED = {"get", "names", "from_dict", "load", "write"}
DOORS = ("cli", "plot")  # a command and a figure have the name of the verb that they show


def defined(root: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Modules by the classes and by the public functions that they define at their top."""
    classes: dict[str, list[str]] = defaultdict(list)
    functions: dict[str, list[str]] = defaultdict(list)
    for path in sorted(root.rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(module)
            elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                functions[node.name].append(module)
    return classes, functions


def several(words: dict[str, list[str]]) -> dict[str, list[str]]:
    """Those with more than one module."""
    return {word: modules for word, modules in words.items() if len(modules) > 1}


def test_no_class_name_is_defined_twice():
    classes, _ = defined(ROOT)
    assert len(classes) > 200, "the walk sees too few classes"
    assert several(classes) == {}


def side_of(module: str) -> str | None:
    """The door that a module belongs to, or None for the library behind them."""
    room = module.split(".")[0]
    return room if room in DOORS else None


@pytest.mark.parametrize("door", [*DOORS, None])
def test_no_public_function_name_is_defined_twice(door):
    """Within the library, and within each of its doors."""
    _, functions = defined(ROOT)
    inside = {word: [module for module in modules if side_of(module) == door] for word, modules in functions.items()}
    assert {word: modules for word, modules in several(inside).items() if word not in CONTRACTED} == {}


def test_contracted_verbs_are_in_use():
    _, functions = defined(ROOT)
    assert set(several(functions)) >= CONTRACTED


def test_the_walk_finds_namesakes(tmp_path):
    (tmp_path / "one.py").write_text("class A:\n    def a(self): ...\ndef f(): ...\ndef _g(): ...\n")
    (tmp_path / "two.py").write_text("class A: ...\ndef f(): ...\ndef _g(): ...\ndef a(): ...\n")
    classes, functions = defined(tmp_path)
    assert several(classes) == {"A": ["one", "two"]}
    assert several(functions) == {"f": ["one", "two"]}
