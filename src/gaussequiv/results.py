"""Results: xarray Datasets that carry their problem, versions and seed; saved, loaded and shown as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv.curve import BOOKKEEPING, Observable
from gaussequiv.errors import ArgumentError, fail
from gaussequiv.numerics.status import Status

if TYPE_CHECKING:
    import xarray as xr


def dataset(
    variables: Mapping[str, tuple[tuple[str, ...], Any]],
    coordinates: Mapping[str, Any],
    attributes: Mapping[str, Any],
    observables: Mapping[str, Observable],
) -> xr.Dataset:
    """Build a Dataset with provenance, and the words and units that `observables` declare; `status` also gives `converged`."""
    import xarray as xr

    full = dict(variables)
    if "status" in full:
        dims, status = full["status"]
        status = np.asarray(status).astype(np.int8)
        full["status"] = (dims, status)
        full["converged"] = (dims, status == int(Status.converged))
    labelled = {name: (dims, values, labels(name, observables)) for name, (dims, values) in full.items()}
    placed = {name: value if isinstance(value, tuple) else (name, value) for name, value in coordinates.items()}
    placed = {name: (dims, values, labels(name, observables)) for name, (dims, values) in placed.items()}
    return xr.Dataset(labelled, coords=placed, attrs=dict(attributes) | {"versions": json.dumps(versions())})


def labels(name: str, observables: Mapping[str, Observable]) -> dict[str, Any]:
    """`long_name` and `units` of a variable; `status` also explains its values."""
    stem, kind = name, ""
    for suffix, meaning in (("_stderr", ", standard error"), ("_mean", ", mean over trials")):
        if stem.endswith(suffix):
            stem, kind = stem.removesuffix(suffix), meaning
    words = observables.get(stem, BOOKKEEPING.get(stem, Observable(stem)))
    out: dict[str, Any] = {"long_name": words.label + kind, "units": words.unit}
    if name == "status":
        out |= {"flag_values": [int(s) for s in Status], "flag_meanings": " ".join(s.name for s in Status)}
    return out


@cache
def versions() -> dict[str, str]:
    """Versions of the package and of what its numbers depend on (cached: reading package metadata takes milliseconds)."""
    from importlib.metadata import version

    return {name: version(name) for name in ("gaussequiv", "numpy", "scipy", "xarray")}


def save(result: xr.Dataset, path: str | Path) -> Path:
    """Write a result as .nc (NetCDF), .json or .csv; all three can be loaded again."""
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".nc", ".json", ".csv"):
        raise fail("path", "a file name ending in .nc, .json or .csv", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == ".nc":
        result.to_netcdf(path, engine="netcdf4")
    elif kind == ".json":
        path.write_text(json.dumps(_finite(result.to_dict()), default=_plain))
    else:
        columns = {str(k): {"dims": list(map(str, v.dims)), "attrs": v.attrs} for k, v in result.variables.items()}
        header = {"attrs": result.attrs, "coords": list(map(str, result.coords)), "columns": columns}
        frame = result.reset_coords().to_dataframe().reset_index()
        with path.open("w", newline="") as stream:
            stream.write("# " + json.dumps(_finite(header), default=_plain) + "\n")
            frame.to_csv(stream, index=False, float_format="%.17g")
    return path


def load(path: str | Path) -> xr.Dataset:
    """Read a result that `save` wrote."""
    import xarray as xr

    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".nc", ".json", ".csv"):
        raise fail("path", "a file name ending in .nc, .json or .csv", str(path))
    if not path.exists():
        raise ArgumentError(f"Argument `path` must be an existing file, but {str(path)!r} does not exist.")
    try:
        if kind == ".nc":
            with xr.open_dataset(path, engine="netcdf4") as stored:
                return _typed(stored.load())
        if kind == ".json":
            return _typed(xr.Dataset.from_dict(json.loads(path.read_text(), parse_constant=float)))
        return _typed(_load_csv(path))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OSError) as error:  # any other file of that ending
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArgumentError(
            f"Argument `path` must be a result that this package saved, but {str(path)!r} is not: {reason[:120]}."
        ) from None


def _load_csv(path: Path) -> xr.Dataset:
    import csv

    import xarray as xr

    with path.open(newline="") as stream:
        header = json.loads(stream.readline().lstrip("# "))
        names, *rows = csv.reader(stream)
    frame = {name: _column([row[i] for row in rows]) for i, name in enumerate(names)}
    columns = header["columns"]
    dims = list(dict.fromkeys(dim for column in columns.values() for dim in column["dims"]))
    dims = [dim for dim in frame if dim in dims]  # the order in which the rows run
    coordinates = {name: np.array(list(dict.fromkeys(frame[name].tolist()))) for name in dims}
    shape = [coordinates[name].size for name in dims]
    out = xr.Dataset(coords=coordinates, attrs=header["attrs"])
    for name, column in columns.items():
        if name not in dims:
            block = frame[name].reshape(shape)
            index = tuple(slice(None) if dim in column["dims"] else 0 for dim in dims)
            order = [dim for dim in dims if dim in column["dims"]]
            out[name] = xr.DataArray(block[index], dims=order).transpose(*column["dims"])
        out[name].attrs = column["attrs"]
    return out.set_coords([name for name in header["coords"] if name not in dims])


def _column(texts: list[str]) -> Any:
    """Integers, numbers (empty: nan) or text; every digit is read back."""
    for kind in (int, float):
        try:
            return np.array([kind(text) if text or kind is int else np.nan for text in texts])
        except ValueError:
            continue
    return np.array([text == "True" for text in texts]) if set(texts) <= {"True", "False"} else np.array(texts)


def _typed(result: xr.Dataset) -> xr.Dataset:
    """Booleans and nulls survive the file formats."""
    for name, variable in result.data_vars.items():
        if name == "converged":
            result[name] = variable.astype(bool).assign_attrs(variable.attrs)
        elif variable.dtype == object:
            values = [np.nan if v is None else v for v in variable.values.ravel().tolist()]
            if all(isinstance(v, (int, float)) for v in values):
                array = np.array(values, dtype=float).reshape(variable.shape)
                result[name] = (variable.dims, array, variable.attrs)
    return result


def _finite(value: Any) -> Any:
    """Non-finite numbers as null: JSON has no others."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return _finite(value.item())
    if isinstance(value, np.ndarray):
        return _finite(value.tolist())
    return str(value)


def to_json(result: xr.Dataset) -> dict[str, Any]:
    """The flat object of `--json`: coordinates and variables as lists (nested over further dimensions), plus attributes."""
    values = {str(name): variable.values.tolist() for name, variable in result.variables.items()}
    dims = {str(name): [str(d) for d in variable.dims] for name, variable in result.variables.items()}
    shown = dict(result.attrs)
    for key in ("problem", "call", "versions"):
        if key in shown:
            shown[key] = json.loads(shown[key])
    out: dict[str, Any] = json.loads(json.dumps(_finite(values | {"dims": dims, "attrs": shown}), default=_plain))
    return out
