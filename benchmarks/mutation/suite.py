"""Which tests belong to a source file: its own, those that import it or use its names, and those of the files above it, nearest first."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cached_property
from pathlib import Path

PACKAGE = "gaussequiv"
FEW = 4  # tests of a file that has none of its own name
FAR = 40  # more files than their time lets run; collecting them takes time, too


class Suite:
    """The files of a checkout and who imports whom, read from the sources."""

    def __init__(self, root: Path) -> None:
        self.root, self.source, self.tests = root, root / "src" / PACKAGE, root / "tests"

    def module(self, path: Path) -> str:
        """Dotted name of a source file, given from the root."""
        parts = path.relative_to(Path("src")).with_suffix("").parts
        return ".".join(part for part in parts if part != "__init__")

    def files(self, rooms: list[str]) -> list[Path]:
        """The source files of rooms, at any depth."""
        found = [path for room in rooms for path in ((self.source / room).rglob("*.py"))]
        single = [self.source / f"{room}.py" for room in rooms if (self.source / f"{room}.py").exists()]
        return sorted({*found, *single})

    def mirror(self, path: Path) -> list[Path]:
        """tests/ROOM/test_NAME.py of src/PACKAGE/ROOM/NAME.py, and test_NAME_MORE.py where no source file is called NAME_MORE."""
        inner = path.relative_to(Path("src") / PACKAGE)
        folder = self.tests / inner.parent
        others = {f"test_{other.stem}.py" for other in (self.source / inner.parent).glob("*.py")} - {f"test_{path.stem}.py"}
        found = [*folder.glob(f"test_{path.stem}.py"), *folder.glob(f"test_{path.stem}_*.py")]
        return [test.relative_to(self.root) for test in sorted(found) if test.name not in others]

    @cached_property
    def importers(self) -> dict[str, list[Path]]:
        """For every module, the files that import it, sources and tests."""
        found: dict[str, list[Path]] = {}
        for file in sorted([*self.source.rglob("*.py"), *self.tests.rglob("*.py")]):
            for module in _imported(file):
                found.setdefault(module, []).append(file.relative_to(self.root))
        return found

    def near(self, path: Path) -> list[Path]:
        """What is run first: the file's own examples, its mirror, and the tests that import it, those of its room before others."""
        direct = [file for file in self.importers.get(self.module(path), []) if file.parts[0] == "tests"]
        return _once([path, *self.mirror(path), *_closest(direct, path)])

    def far(self, path: Path) -> list[Path]:
        """What survivors are shown next, from near to far: tests that use the file's public names, then, for the files that import it,
        those that import these and so on, their own tests and tests that use their names, most first.
        """
        tests, seen, users = self._users(path), {path}, [path]
        while users := _closest([file for file in self._sources_above(users) if file not in seen], path):
            seen.update(users)
            tests += [test for user in users for test in self.mirror(user) or self.near(user)[1 : 1 + FEW]]
            tests += [test for user in users for test in self._users(user)]
        near = self.near(path)
        return [test for test in _once(tests) if test not in near][:FAR]

    def _users(self, path: Path) -> list[Path]:
        return [test for test, _ in self.mentions.get(self.module(path), Counter()).most_common()]

    def _sources_above(self, files: list[Path]) -> list[Path]:
        return _once([user for file in files for user in self.importers.get(self.module(file), []) if user.parts[0] == "src"])

    @cached_property
    def mentions(self) -> dict[str, Counter[Path]]:
        """For every module, how often tests use its names through the package: ge.Ridge."""
        table = ast.parse((self.source / "__init__.py").read_text())
        home = {
            alias.name: str(node.module)
            for node in ast.walk(table)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if node.module
        }
        found: dict[str, Counter[Path]] = {}
        for test in sorted(self.tests.rglob("test_*.py")):
            for name in re.findall(r"\bge\.(\w+)", test.read_text()):
                if name in home:
                    found.setdefault(home[name], Counter())[test.relative_to(self.root)] += 1
        return found


def _imported(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.split(".")[0] == PACKAGE}


def _closest(files: list[Path], path: Path) -> list[Path]:
    folders = path.parent.parts[2:]
    return sorted(files, key=lambda file: (not set(folders) <= set(file.parts), "validation" in file.parts, file))


def _once(files: list[Path]) -> list[Path]:
    return list(dict.fromkeys(files))
