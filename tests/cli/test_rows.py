"""`rows-for` behind the command line: a table in, a sentence or numbers out."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gaussequiv.cli import app

CALL = ["rows-for", "table.csv", "--target", "y", "--estimator", "linear", "--target-error"]


@pytest.fixture(autouse=True)
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 4))
    pd.DataFrame(X, columns=list("abcd")).assign(y=X[:, 0] + rng.standard_normal(500)).to_csv("table.csv", index=False)


def test_a_sentence():
    result = CliRunner().invoke(app, [*CALL, "1.2"])
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("A mean squared error of 1.2 takes about ") and result.stdout.strip().endswith("you have enough.")


def test_numbers():
    found = json.loads(CliRunner().invoke(app, [*CALL, "0.2", "--json"]).stdout)
    assert found["rows"] is None and found["reached"] is False and found["target"] == 0.2


def test_an_unknown_estimator_is_a_usage_error():
    result = CliRunner().invoke(app, [*CALL, "1.2", "--estimator", "tree"])
    assert result.exit_code == 2 and "estimator" in result.stderr
