"""`predict-curve` behind the command line: tables in, predictions and refits out."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

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
        result = predict.predicted_curve(csv, "even", "logistic", 100.0, "60:750:4:log", groups=3, validate=True, repeats=4)
    assert result["train_size"].values.tolist() == [60, 139, 323, 750]
    assert np.isfinite(result.refit_error.values).tolist() == [True, True, True, False]
    figure = tmp_path / "curve.png"
    predict.deliver_prediction(result, False, str(figure))
    out = capsys.readouterr()
    assert "refit_error" in out.out and "139" in out.out and "deviation %" in out.out and "known" in out.out
    assert "from the 500 rows of today to 750" in out.err
    assert figure.stat().st_size > 5000


def made(sizes, errors, total=100, **more):
    size = ("train_size",)
    names = {"test_error": errors, "test_error_stderr": np.full(len(sizes), 0.3), "status": np.zeros(len(sizes)), **more}
    return xr.Dataset({k: (size, np.asarray(v, dtype=float)) for k, v in names.items()}, {"train_size": sizes}, {"n_total": total})


def test_deviations_have_standard_errors():
    """3 +- 0.3 against 2 +- 0.2: (3/2 - 1) = 0.5 +- sqrt(0.3^2 + (1.5 0.2)^2)/2."""
    found = predict.beside_refits(made([10, 20], [3.0, 3.0], refit_error=[2.0, np.nan], refit_error_stderr=[0.2, np.nan]))
    assert found.deviation.values[0] == pytest.approx(0.5) and np.isnan(found.deviation.values[1])
    assert found.deviation_stderr.values[0] == pytest.approx(np.sqrt(0.09 + 0.09) / 2)
    assert found.deviation_z.values[0] == pytest.approx(0.5 / found.deviation_stderr.values[0])


@pytest.mark.parametrize(
    ("sizes", "errors", "text"),
    [
        ([50, 100, 150], [0.3, 0.2, 0.1], "100 rows of today to 150: the error would go from 0.2 to 0.1 (50.0% better)"),
        ([50, 100], [0.1, 0.11], "from 50 to 100 rows the error goes from 0.1 to 0.11 (10.0% worse)"),
        ([50, 100], [0.2, 0.2], "(unchanged)"),
        ([50, 100, 200, 250], [0.4, 0.2, 0.15, 0.01], "today to 200: the error would go from 0.2 to 0.15 (25.0% better)"),
        ([150, 180], [0.4, 0.2], "from 150 to 180 rows"),
        ([100, 400], [0.4, 0.2], "too few known points up to 2 times the 100 rows"),
        ([50, 100], [0.0, 0.2], "the error was 0"),
    ],
)
def test_verdicts(sizes, errors, text):
    assert text in predict.verdict(made(sizes, errors))


def test_statuses_are_words(capsys):
    predict.show(made([50, 100], [0.1, np.nan], status=[0, 3]))
    out = capsys.readouterr().out
    assert "known" in out and "not identified by these rows" in out


def test_fractions_as_a_range():
    assert predict.sizes_of("0.1:1:4", 100).tolist() == [10, 40, 70, 100]
    assert predict.sizes_of("0.25,1", 100).tolist() == [25, 100]
    assert predict.sizes_of("10:20:4", 100).tolist() == [10, 13, 17, 20]
    for bad in ("0.5,50", "1", "10.5,20", "0:1:5"):
        with pytest.raises(ArgumentError, match="train_sizes"):
            predict.sizes_of(bad, 100)


def test_more_classes_are_not_validated(tmp_path, monkeypatch):
    monkeypatch.setattr("gaussequiv.estimators.curves.theory_curve", lambda *a, **k: pytest.fail("computed before the refusal"))
    np.savez(tmp_path / "three.npz", X=X, digit=np.arange(500) % 3)
    with pytest.raises(ArgumentError, match="one class against the rest"):
        predict.predicted_curve(str(tmp_path / "three.npz"), "digit", "logistic", 1.0, "100", validate=True)


def test_npz_and_json(tmp_path, capsys):
    path = tmp_path / "images.npz"
    np.savez(path, X=X.reshape(-1, 8, 8), y=Y)
    result = predict.predicted_curve(str(path), "y", "ridge", 10.0, "100,200", method="moments", groups=3)
    predict.deliver_prediction(result, True, str(tmp_path / "curve.json"))
    printed = json.loads(capsys.readouterr().out)
    assert printed["train_size"] == [100, 200] and printed["attrs"]["n_features"] == 64
    assert (tmp_path / "curve.json").exists()


def test_classes_and_features(tmp_path, capsys):
    path = tmp_path / "three.npz"
    np.savez(path, rows=X, digit=np.arange(500) % 3)
    result = predict.predicted_curve(str(path), "digit", "ridge-classifier", 1.0, "100", features="tanh:40", groups=0)
    predict.deliver_prediction(result, False, None)
    assert result.test_error.dims == ("class", "train_size")
    out = capsys.readouterr()
    assert out.out.splitlines()[0].split() == ["class", "train_size", "test_error", "+-", "status"] and len(out.out.splitlines()) == 4
    assert "one curve for each class" in out.err


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
        predict.predicted_curve(csv, "even", **call)
