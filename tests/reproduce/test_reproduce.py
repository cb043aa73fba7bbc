"""`reproduce` and its commands: files, report, redrawing from files, exit codes."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import gaussequiv as ge
from gaussequiv.cli import app
from gaussequiv.reproduce import catalogue
from gaussequiv.reproduce import reproduce as module
from gaussequiv.reproduce.paper import Check, Figure, Paper


def pixels(figure):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sur2019")


@pytest.fixture(scope="module")
def made(folder):
    (one,) = module.reproduce("sur2019", fast=True, output=folder, progress=False)
    return one


def test_files_are_enough_to_draw_and_check_again(made, folder):
    loaded = {name: ge.load(folder / f"sur2019-bias-{name}.nc") for name in made.data}
    assert np.array_equal(pixels(made.figure.draw(loaded)), pixels(made.figure.draw(made.data)))
    assert made.figure.check(loaded) == made.checks
    assert (folder / "sur2019-bias.png").read_bytes().startswith(b"\x89PNG")


def test_the_report_names_every_number_and_the_largest_deviation(made, folder):
    text = (folder / "sur2019.md").read_text()
    assert all(check.agrees for check in made.checks)
    assert all(f"| {check.name} |" in text for check in made.checks)
    assert "4 of 4 reference numbers agree; largest deviation for its tolerance:" in text


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def _tiny(reference):
    """A paper of one closed form: fast, and wrong on demand."""

    def draw(data):
        return ge.plot.curve(data["theory"]).figure

    def check(data):
        return [Check("lam", reference, float(data["theory"]["lam"][0]), 1e-6, "closed form")]

    def compute(fast, seed, progress):
        return {"theory": ge.solve(ge.Problem(ge.DeepNetwork("erf"), learner=ge.Ridge()), [1.0, 2.0])}

    return Paper("tiny2000", "A paper", (Figure("one", "A figure", "instant", compute, draw, check),))


@pytest.mark.parametrize(("reference", "code"), [(0.0945914843, 0), (0.1, 1)])
def test_exit_code_says_whether_the_numbers_agree(reference, code, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "get", lambda key: _tiny(reference))
    result = run("reproduce", "tiny2000", "--output", str(tmp_path / "new"))
    assert result.exit_code == code, result.stderr
    assert f"{1 - code} of 1 reference numbers agree" in result.stdout
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["tiny2000-one-theory.nc", "tiny2000-one.png", "tiny2000.md"]
    assert f"wrote {tmp_path / 'new' / 'tiny2000.md'} (the report" in result.stderr
    out = json.loads(run("reproduce", "tiny2000", "--json", "--output", str(tmp_path)).stdout)
    assert out["report"] == str(tmp_path / "tiny2000.md")
    one = run("reproduce", "tiny2000", "--figure", "one", "--output", str(tmp_path / "new"))
    assert "tiny2000-one.md" in one.stderr and (tmp_path / "new" / "tiny2000-one.md").exists()
    assert out["figures"][0]["checks"][0]["agrees"] is (code == 0)


def test_help_says_where_the_numbers_are():
    assert "the report KEY.md" in " ".join(run("reproduce", "--help").stdout.split())


def test_usage_errors_name_the_known_papers_and_figures():
    unknown = run("reproduce", "cui2032")
    assert unknown.exit_code == 2 and "Did you mean 'cui2023'" in unknown.stderr
    figure = run("reproduce", "cui2023", "--figure", "ridge")
    assert figure.exit_code == 2 and "regression, classification" in figure.stderr


def test_list_names_papers_with_titles_and_figures():
    every = run("list")
    assert every.exit_code == 0 and "leaky_relu" in every.stdout and "papers: aubin2020, camilli2025, cui2023" in every.stdout
    papers = run("list", "papers").stdout
    assert all(key in papers for key in catalogue.keys()) and "classification: Test error" in papers
    assert json.loads(run("list", "papers", "--json").stdout)["papers"]["cui2023"]["figures"] == ["regression", "classification"]
    assert "relu" in run("list", "activations").stdout.split()
    assert run("list", "paper").exit_code == 2


def test_a_report_orders_by_deviation_over_tolerance():
    paper = _tiny(0.1)
    checks = [Check("good", 1.0, 1.0, 1.0, "a"), Check("bad", 1.0, 3.0, 1.0, "b")]
    text = module.report(paper, [module.Reproduction(replace(paper.figures[0]), {}, checks, [], 0.0)], True, 0)
    assert text.index("| bad |") < text.index("| good |") and "| NO | b |" in text
