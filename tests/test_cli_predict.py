"""`predict-curve` behind the command line: tables in, predictions and refits out."""

import json

import numpy as np
import pandas as pd
import pytest

from gaussequiv import datasets
from gaussequiv.cli import predict
from gaussequiv.errors import AccuracyWarning, ArgumentError

X, Y = datasets.load("digits", count=500)


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "digits.csv"
    pd.DataFrame(X, columns=[f"x{i}" for i in range(64)]).assign(even=np.where(Y > 0, "yes", "no")).to_csv(path, index=False)
    return str(path)


def test_a_csv_file_predicted_and_validated(csv, capsys, tmp_path):
    with pytest.warns(AccuracyWarning, match="500 rows are few"):
        result = predict.predict_curve(csv, "even", "logistic", 100.0, "60:900:4:log", groups=3, validate=True, repeats=4)
    assert result["train_size"].values.tolist() == [60, 148, 365, 900]
    assert np.isfinite(result.refit_error.values).tolist() == [True, True, True, False]
    figure = tmp_path / "curve.png"
    predict.deliver(result, False, str(figure))
    out = capsys.readouterr()
    assert "refit_error" in out.out and "148" in out.out
    assert "from the 500 rows of today to 900" in out.err
    assert figure.stat().st_size > 5000


def test_npz_and_json(tmp_path, capsys):
    path = tmp_path / "images.npz"
    np.savez(path, X=X.reshape(-1, 8, 8), y=Y)
    result = predict.predict_curve(str(path), "y", "ridge", 10.0, "100,200", method="moments", groups=3)
    predict.deliver(result, True, str(tmp_path / "curve.json"))
    printed = json.loads(capsys.readouterr().out)
    assert printed["train_size"] == [100, 200] and printed["attrs"]["n_features"] == 64
    assert (tmp_path / "curve.json").exists()


def test_classes_and_features(tmp_path, capsys):
    path = tmp_path / "three.npz"
    np.savez(path, rows=X, digit=np.arange(500) % 3)
    result = predict.predict_curve(str(path), "digit", "ridge-classifier", 1.0, "100", features="tanh:40", groups=0)
    predict.deliver(result, False, None)
    assert result.test_error.dims == ("class", "train_size")
    assert "one curve for each class" in capsys.readouterr().err


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    def missing(path):
        raise ImportError("no engine")

    monkeypatch.setattr(pd, "read_parquet", missing)
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(ArgumentError, match="pip install pyarrow"):
        predict.read_table(str(path), "y")


def test_parquet_is_read_as_a_table(tmp_path, monkeypatch):
    monkeypatch.setattr(pd, "read_parquet", lambda path: pd.DataFrame({"a": [1.0, 2], "y": [0, 1]}))
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1")
    rows, target = predict.read_table(str(path), "y")
    assert rows.tolist() == [[1.0], [2.0]] and target.tolist() == [0, 1]


def test_bad_tables(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("a,b,y\n1,x,2\n3,z,4\n")
    with pytest.raises(ArgumentError, match="not: b"):
        predict.read_table(str(table), "y")
    with pytest.raises(ArgumentError, match="one of a, b, y"):
        predict.read_table(str(table), "z")
    table.write_text("a,y\n1,2\n,4\n")
    with pytest.raises(ArgumentError, match="missing values"):
        predict.read_table(str(table), "y")
    with pytest.raises(ArgumentError, match="does not exist"):
        predict.read_table(str(tmp_path / "no.csv"), "y")
    with pytest.raises(ArgumentError, match="ending in"):
        predict.read_table("t.xls", "y")
    np.savez(tmp_path / "many.npz", a=X, b=X, y=Y)
    with pytest.raises(ArgumentError, match="rows as X"):
        predict.read_table(str(tmp_path / "many.npz"), "y")
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(ArgumentError, match="plain arrays"):
        predict.read_table(str(tmp_path / "bad.npz"), "y")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"estimator": "logistics"}, "Did you mean 'logistic'"),
        ({"lam": 0.0}, "positive"),
        ({"features": "tanh"}, "ACTIVATION:WIDTH"),
        ({"train_sizes": "490", "validate": True}, "at most 400"),
    ],
)
def test_refusals(csv, change, text):
    call = {"estimator": "logistic", "lam": 1.0, "train_sizes": "100", "groups": 0} | change
    with pytest.raises(ArgumentError, match=text):
        predict.predict_curve(csv, "even", **call)
