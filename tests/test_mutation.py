"""The changes that `make mutate` makes: each is a program and another one, meaningless ones are left out, tests are found by name."""

import ast
from pathlib import Path

import pytest

from benchmarks.mutation.mutants import chosen, is_change, mutants_of
from benchmarks.mutation.suite import Suite

ROOT = Path(__file__).parents[1]


def changes(source):
    found = mutants_of(Path("a.py"), source)
    assert all(is_change(one, source) for one in found)
    return {(one.kind, one.apply(source)) for one in found}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a + b", {"arithmetic": ["x = a - b"], "dropped term": ["x = (a)", "x = (b)"], "factor 2": ["x = 2 * (a + b)"]}),
        (
            "f((a + b) / c)",
            {"arithmetic": ["f((a - b) / c)", "f((a + b) * c)"], "dropped term": ["f(((a)) / c)", "f(((b)) / c)", "f((a + b))"]},
        ),
        ("f(-a, é, -b)", {"sign": ["f((a), é, -b)", "f(-a, é, (b))"]}),
        ("f(a < b)", {"comparison": ["f(a >= b)"]}),
        ("f(2, 0.5, 0.0)", {"constant": ["f(3, 0.5, 0.0)", "f(2, 1.0, 0.0)", "f(2, 0.5, 1.0)"]}),
        ("np.where(a, b, c)", {"branches": ["np.where(a, c, b)"]}),
        ("np.maximum(a, b)", {"function": ["np.minimum(a, b)"]}),
        ("f(a and b, not c)", {"logic": ["f(a or b, not c)"], "negation": ["f(a and b, (c))"]}),
        ("f(a if b else c)", {"branches": ["f((c if b else a))"]}),
        ("TABLE = (1, 2)", {"constant": ["TABLE = (2, 2)", "TABLE = (1, 3)"]}),
        ("A, ROOT = 1.0, f(2)", {"constant": ["A, ROOT = 1.0, f(3)"]}),
        ("A, b = 1, 2", {"constant": ["A, b = 2, 2", "A, b = 1, 3"]}),
        (
            "K = 0.5\nf(K * a)",
            {"arithmetic": ["K = 0.5\nf(K / a)"], "dropped term": ["K = 0.5\nf((K))", "K = 0.5\nf((a))"]},
        ),
        ("f(a > 1e-12 * b)", {"comparison": ["f(a <= 1e-12 * b)"]}),
    ],
)
def test_each_kind(source, expected):
    assert changes(source) == {(kind, text) for kind, texts in expected.items() for text in texts}


@pytest.mark.parametrize(
    "source",
    [
        '"""2 + 3"""',
        "raise fail('x', f'{a + b} < 2', 3)",
        "MAX_STEPS = 200",
        "f(np.maximum(a, 1e-300) , tolerance=0.5)",
        "f(a.reshape(3, -1))",
        "def f(x: Literal[1], tol=1) -> Literal[2]: return x",
        "text = 'a' + name",
        "def __repr__(self): return 2 * self.x",
        "with np.errstate(all='ignore' if a < b else 'raise'): pass",
        "import a",
        "Key = int | tuple[int, ...]",
        "legendre_panels(edges, 12)",
        "np.clip(r, -1.0, 1.0)",
        "FIRST_STEP, SHORTEST_STEP, STEPS = 1.0, 1e-3, 25",
        "x = 1e-18 * lam / self.largest",
        "f(a, 1e-12 * max(b, c))",
        "SILENT = 1e-14\nx = f(SILENT * np.sqrt(a + b))",
    ],
)
def test_what_means_nothing_is_left_alone(source):
    assert changes(source) == set()


def test_operators_are_found_behind_brackets_comments_and_other_alphabets():
    source = "y = (\n    (é)  # a + b\n    + (c)\n)\n"
    assert ("arithmetic", "y = (\n    (é)  # a + b\n    - (c)\n)\n") in changes(source)


def test_a_draw_is_repeated_by_its_seed_and_takes_one_change_a_line():
    files = Suite(ROOT).files(["numerics/panels", "numerics/tilted"])
    one, two, other = (list(chosen(files, ROOT, 20, seed)) for seed in (0, 0, 1))
    assert one == two != other
    assert len({(mutant.path, mutant.line) for mutant in one}) == 20
    for mutant in one:
        ast.parse(mutant.apply((ROOT / mutant.path).read_text()))


def test_importers_of_importers_come_nearest_first(tmp_path):
    """bottom <- middle <- top <- bottom's own type hint (a circle ends), and the tests that use bottom's public name first."""
    room, tests = tmp_path / "src" / "gaussequiv" / "room", tmp_path / "tests" / "room"
    room.mkdir(parents=True)
    tests.mkdir(parents=True)
    (room.parent / "__init__.py").write_text("from gaussequiv.room.bottom import Bottom\nfrom gaussequiv.room.top import Top\n")
    for name, below in (("bottom", "top"), ("middle", "bottom"), ("top", "middle"), ("aside", "top"), ("other", "nothing")):
        (room / f"{name}.py").write_text(f"import gaussequiv.room.{below}\n")
        (tests / f"test_{name}.py").write_text(f"import gaussequiv.room.{name}\n")
    (tests / "test_public.py").write_text("ge.Bottom\n")
    (tests / "test_all.py").write_text("ge.Top\n")
    suite, bottom = Suite(tmp_path), Path("src/gaussequiv/room/bottom.py")
    assert suite.near(bottom) == [bottom, Path("tests/room/test_bottom.py")]
    assert [test.stem for test in suite.far(bottom)] == ["test_public", "test_middle", "test_top", "test_all", "test_aside"]


def test_every_file_has_tests_near_it():
    suite = Suite(ROOT)
    path = Path("src/gaussequiv/numerics/proximal.py")
    assert suite.near(path)[:2] == [path, Path("tests/numerics/test_proximal.py")]
    assert Path("tests/numerics/test_proximal.py") in suite.importers["gaussequiv.numerics.proximal"]
    assert suite.far(path)
    ridge = Path("src/gaussequiv/learners/convex/ridge.py")
    assert Path("tests/equivalence/test_feature_equivalent.py") in suite.far(ridge)
    interior_point = Path("src/gaussequiv/learners/finite/interior_point.py")  # two files below the fits that it decides
    far = suite.far(interior_point)
    assert far[0] == Path("tests/learners/finite/test_minimise.py") and Path("tests/learners/convex/test_finite_fit.py") in far[:4]
    for file in suite.files(["numerics", "learners", "equivalence", "algorithms"]):
        inside = file.relative_to(ROOT)
        if len(file.read_text().splitlines()) > 1:
            assert len(suite.near(inside) + suite.far(inside)) > 1, inside
