"""What the pages name exists: links, files, modules, classes, options and targets of make."""

import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command

import gaussequiv as ge
from gaussequiv.cli import app

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "gaussequiv"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
TIMELESS = [name for name in NAMES if name != "CHANGELOG.md"]  # which also names what was
ROOMS = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()} - {"__init__", "__main__"}
# scikit-learn's, Python's, and the templates' own
ELSEWHERE = set(
    """Pipeline LogisticRegression LinearSVC RidgeClassifier SVC ElasticNet KernelRidge HuberRegressor QuantileRegressor Dataset
    AssertionError PAPER TESTS KEY NAME NAMEYEAR NAMEYEARb SeenInNoise Insensitive Committee Censored NearlySparse Cosine
    COUNT LinearRegression SelectKBest PCA TargetEncoder FrozenEstimator""".split()
)


@cache
def text(name):
    return re.sub(r"```python\n.*?```", "", (ROOT / name).read_text(), flags=re.DOTALL)


def spans(name):
    """Inline code of a page, outside of its blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text(name), flags=re.DOTALL))


def anchors(page):
    """Headings as links name them."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def resolves(dotted):
    """Whether a.b.C is a file of the package, or an attribute of one; paths of before, which import all the same, are none."""
    parts = dotted.removeprefix("gaussequiv.").split(".")
    for count in range(len(parts), 0, -1):
        place = SOURCE.joinpath(*parts[:count])
        if place.with_suffix(".py").exists() or (place / "__init__.py").exists():
            found = import_module(".".join(["gaussequiv", *parts[:count]]))
            return has(found, parts[count:])
    return has(ge, parts)


def has(found, parts):
    for part in parts:
        annotated = part in getattr(found, "__annotations__", {})
        if not annotated and not hasattr(found, part):
            return False
        found = getattr(found, part, None)
        if type(getattr(found, "__loader__", None)).__module__ == "gaussequiv._moved":
            return False  # a path of before, which somebody has imported
    return True


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text(name)):
        file, _, anchor = target.partition("#")
        page = (ROOT / name).parent / file if file else ROOT / name
        if not target.startswith("http") and (not page.exists() or (anchor and anchor not in anchors(page))):
            wrong.append(target)
    assert not wrong


@pytest.mark.parametrize("name", TIMELESS)
def test_files_exist(name):
    wrong = []
    for span in spans(name):
        for path in re.findall(r"(?<![\w/.:-])[\w./-]+\.(?:py|md|bib|cff)\b", span):
            places = [base / path for base in (ROOT, SOURCE, ROOT / "docs", SOURCE / "ingredients", SOURCE / "problems/supervised")]
            if not any(place.exists() for place in places) and ("/" in path or not list(ROOT.glob(f"*/**/{path}"))):
                wrong.append(path)
        if re.fullmatch(r"[a-z_/]+/", span) and not (ROOT / span).exists() and not list(SOURCE.glob(f"**/{span}")):
            wrong.append(span)
    assert not [path for path in wrong if not path.startswith("figures/") and not re.search(r"KEY|NAMEYEAR", path)]


@pytest.mark.parametrize("name", TIMELESS)
def test_dotted_names_exist(name):
    words = [word for span in spans(name) for word in re.findall(r"(?<![\w./-])[A-Za-z_]\w*(?:\.\w+)+(?![\w/])", span)]
    words += re.findall(r"::? (gaussequiv(?:\.\w+)+)", text(name))  # what the reference documents
    words = [word for word in words if word != "run.test_error"]  # a variable of the tour
    ours = {word.replace("ge.", "gaussequiv.", 1) if word.startswith("ge.") else word for word in words}
    wrong = [word for word in ours if word.split(".")[0] in ROOMS | {"gaussequiv"} and not word.endswith(".py") and not resolves(word)]
    assert not wrong


@cache
def classes():
    defined = {name for path in SOURCE.rglob("*.py") for name in re.findall(r"^ *class (\w+)", path.read_text(), re.MULTILINE)}
    values = {name for path in SOURCE.rglob("*.py") for name in re.findall(r"^(_?[A-Z][A-Z_]+)\b", path.read_text(), re.MULTILINE)}
    return defined | values | set(ge.__all__) | ELSEWHERE


@pytest.mark.parametrize("name", TIMELESS)
def test_classes_exist(name):
    found = {word for span in spans(name) for word in re.findall(r"^(?:ge\.)?(_?[A-Z]\w+)(?=$|\(|\.[^m])", span) if len(word) > 2}
    assert found <= classes()


@pytest.mark.parametrize("name", TIMELESS)
def test_options_and_targets_exist(name):
    commands = get_command(app).commands
    options = {command: {flag for one in found.params for flag in (*one.opts, *one.secondary_opts)} for command, found in commands.items()}
    every = set().union(*options.values()) | {"--help", "--version"}
    page = text(name).replace("\\\n", " ")
    wrong = []
    for command, rest in re.findall(r"gaussequiv ([a-z][a-z-]+)\b([^\n`]*)", page):
        flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest.partition("  #")[0]))
        if (flags or command in commands) and not flags <= options.get(command, set()) | {"--help"}:
            wrong.append((command, flags))
    for span in spans(name):
        flags = re.findall(r"(?<![\w-])--[a-z][a-z-]*", span) if not span.startswith(("python", "make", "pip")) else []
        wrong += [flag for flag in flags if flag not in every]
    rules = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    wrong += [target for target in re.findall(r"(?:^|`)make ([a-z][a-z-]*)", page, re.MULTILINE) if target not in rules]
    assert not wrong


def test_every_public_name_stands_in_the_reference_and_every_validation_on_its_page():
    listed = set(spans("docs/api/index.md")) | set(re.findall(r"`(\w+)`", text("docs/api/index.md")))
    assert set(ge.__all__) - {"__version__"} <= listed
    checks = {path.name for path in (ROOT / "tests" / "validation").glob("test_*.py")}
    assert checks <= set(spans("docs/validation.md"))


def test_the_table_of_rooms_is_whole():
    rows = re.findall(r"^\| `(\w+)` \|", text("ARCHITECTURE.md"), re.MULTILINE)
    assert set(rows) == ROOMS


def test_the_checks_see_what_is_wrong():
    assert resolves("run.solve.solve") and resolves("ge.nothing") is False and not resolves("learners.ridge")
    assert sum(len(spans(name)) for name in NAMES) > 500
