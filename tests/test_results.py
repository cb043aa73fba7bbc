"""Results: units, files that can be read back, and JSON that has no infinities."""

import json

import numpy as np
import pytest
import scipy
import xarray as xr

import gaussequiv as ge
from gaussequiv import results

TARGET = ge.DeepNetwork("tanh", noise=0.1)
BOTH = [ge.BayesOptimal(), ge.Ridge(0.3)]


@pytest.fixture(scope="module")
def tables():
    two = ge.Problem(TARGET, learner=BOTH)
    return {
        "solve": ge.solve(ge.Problem(TARGET), np.geomspace(0.1, 7, 5)),
        "learners": ge.solve(two, [0.3, 1.7]),
        "simulate": ge.simulate(two, [0.5, 1.5, 3.0], d=10, trials=4, test_samples=50),
        "compare": ge.compare(two, [0.5, 1.5], d=10, trials=3, test_samples=50),
        "sweep": ge.sweep(ge.Problem(TARGET, learner=ge.Ridge(1.0)), [0.5, 2.0, 1 / 3], {"depth": [1, 2], "lam": [0.1, 1 / 7]}),
        "compare sweep": ge.sweep(ge.Problem(TARGET), [0.5, 2.0], {"noise": [0.1, 0.2]}, verb="compare", d=10, trials=2, test_samples=50),
    }


@pytest.mark.parametrize("kind", ["nc", "json", "csv"])
@pytest.mark.parametrize("name", ["solve", "learners", "simulate", "compare", "sweep", "compare sweep"])
def test_files_give_back_every_number(tables, tmp_path, name, kind):
    table = tables[name]
    again = ge.load(ge.save(table, tmp_path / "deep" / f"a.{kind}"))
    assert dict(again.sizes) == dict(table.sizes)
    assert set(again.coords) == set(table.coords)
    assert set(again.data_vars) == set(table.data_vars)
    for key, variable in table.variables.items():
        assert again[key].dims == variable.dims, key
        if variable.dtype.kind in "fiub":
            assert np.array_equal(again[key].values.astype(float), variable.values.astype(float), equal_nan=True), key
        else:
            assert again[key].values.tolist() == variable.values.tolist(), key
    assert again["converged"].dtype == bool
    for key in ("problem", "call", "task", "versions"):
        assert again.attrs[key] == table.attrs[key]
    assert set(again.attrs) == set(table.attrs)


@pytest.mark.parametrize("kind", ["nc", "json", "csv"])
def test_labels_and_units_survive(tables, tmp_path, kind):
    again = ge.load(ge.save(tables["simulate"], tmp_path / f"a.{kind}"))
    assert again["test_error_mean"].attrs["units"] == "output units"
    assert again["alpha"].attrs["long_name"] == "samples per input dimension n/d"
    for key in ("test_error", "test_error_stderr"):
        assert again[key].attrs["long_name"] == tables["simulate"][key].attrs["long_name"]


def test_everything_has_a_label_and_the_status_its_meanings(tables):
    for table in tables.values():
        for key in table.variables:
            if key not in ("learner", "source", "depth", "lam", "noise", "verdict", "reason"):
                assert table[key].attrs["long_name"], key
                assert table[key].attrs["units"], key
    status = tables["solve"]["status"]
    assert status.attrs["flag_meanings"].split() == ["converged", "max_steps", "diverged", "nonfinite", "interrupted", "single_class"]
    assert status.attrs["flag_values"] == [0, 1, 2, 3, 4, 5]


def test_results_are_float64(tables):
    for table in tables.values():
        for key, variable in table.data_vars.items():
            if variable.dtype.kind == "f":
                assert variable.dtype == np.float64, key


def test_json_lists_have_nulls_for_what_is_not_finite():
    with pytest.warns(ge.ConvergenceWarning):
        curve = ge.solve(ge.Problem(TARGET, learner=ge.Ridge(0.0)), [0.5, 1.0])
    out = results.to_json(curve)
    text = json.dumps(out, allow_nan=False)
    assert "NaN" not in text
    assert out["alpha"] == [0.5, 1.0]
    assert out["test_error"] == [float(curve.test_error[0]), None]
    assert out["converged"] == [True, False]
    assert out["dims"]["test_error"] == ["alpha"]
    assert out["attrs"]["problem"]["learner"]["name"] == "ridge"


def test_json_nests_over_further_dimensions(tables):
    out = results.to_json(tables["learners"])
    assert np.shape(out["test_error"]) == (2, 2)
    assert out["learner"] == ["bayes", "ridge(lam=0.3)"]


@pytest.mark.parametrize("kind", ["nc", "csv"])
def test_infinities_survive_the_numeric_formats(tmp_path, kind):
    with pytest.warns(ge.ConvergenceWarning):
        curve = ge.solve(ge.Problem(TARGET, learner=ge.Ridge(0.0)), [0.5, 1.0])
    again = ge.load(ge.save(curve, tmp_path / f"a.{kind}"))
    assert np.isinf(again.test_error[1])
    assert again.converged.values.tolist() == [True, False]


def test_wrong_paths_are_refused(tables, tmp_path):
    for action in (lambda path: ge.save(tables["solve"], path), ge.load):
        with pytest.raises(ge.ArgumentError, match=r"\.nc, \.json or \.csv"):
            action(tmp_path / "a.xlsx")
    with pytest.raises(ge.ArgumentError, match="does not exist"):
        ge.load(tmp_path / "missing.nc")


def test_a_file_can_be_overwritten(tables, tmp_path):
    path = tmp_path / "a.nc"
    ge.save(tables["solve"], path)
    ge.save(ge.load(path), path)
    assert ge.load(path).test_error.values.tolist() == tables["solve"].test_error.values.tolist()


def test_the_status_says_what_converged():
    table = results.dataset({"status": (("alpha",), [0.0, 2.0])}, {"alpha": [1.0, 2.0]}, {"seed": 3}, {})
    assert isinstance(table, xr.Dataset)
    assert table.converged.values.tolist() == [True, False]
    assert json.loads(table.attrs["versions"])["gaussequiv"] == ge.__version__
    assert table.attrs["seed"] == 3


@pytest.mark.parametrize("kind", ["nc", "json", "csv"])
def test_no_flipped_bit_is_loaded_as_other_data(tables, tmp_path, kind):
    path = ge.save(tables["learners"], tmp_path / f"a.{kind}")
    content, whole, rng = path.read_bytes(), ge.load(path), np.random.default_rng(0)
    places = [*rng.integers(8 * len(content), size=150), *(8 * len(content) - 1 - rng.integers(8 * 80, size=50))]
    refused = 0
    for place in places:
        spoilt = bytearray(content)
        spoilt[place // 8] ^= 1 << (place % 8)
        path.write_bytes(spoilt)
        try:
            again = ge.load(path)
        except ge.ArgumentError:
            refused += 1
            continue
        assert again.identical(whole)
    assert refused > 150


@pytest.mark.parametrize("kind", ["nc", "json", "csv"])
def test_other_files_of_that_ending_are_refused(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    for content in (
        b"",
        b"notes",
        b"[1]",
        b"{}" if kind != "json" else b"[" * 100_000,
        b"# []\na,b\n1\n",
        b"CDF\x01",
        b"\xff\xfe",
        b"\x89HDF\r\n\x1a\n",
    ):
        path.write_bytes(content)
        with pytest.raises(ge.ArgumentError, match="that this package saved"):
            ge.load(path)


def test_versions_are_known_without_package_metadata(monkeypatch):
    from importlib import metadata

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    results.versions.cache_clear()
    try:
        assert results.versions() == {
            "gaussequiv": ge.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "xarray": xr.__version__,
        }
    finally:
        results.versions.cache_clear()
