"""Results: xarray Datasets that carry their problem, versions and seed; saved, loaded and shown as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gaussequiv._version import __version__
from gaussequiv.curve import BOOKKEEPING, Observable
from gaussequiv.errors import ArgumentError, fail
from gaussequiv.numerics.status import Status
from gaussequiv.store import seal
from gaussequiv.store.files import replace

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
    words = observables.get(stem) or BOOKKEEPING.get(stem) or Observable(stem)
    out: dict[str, Any] = {"long_name": words.label + kind, "units": words.unit}
    if name == "status":
        out |= {"flag_values": [int(s) for s in Status], "flag_meanings": " ".join(s.name for s in Status)}
    return out


@cache
def versions() -> dict[str, str]:
    """Versions of the package and of what its numbers depend on (cached: reading package metadata takes milliseconds)."""
    return {"gaussequiv": __version__} | {name: version_of(name) for name in ("numpy", "scipy", "xarray")}


def version_of(name: str) -> str:
    """Version of an installed package, also where it has no metadata (a bundled application, a source path)."""
    from importlib import import_module
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return str(getattr(import_module(name), "__version__", "unknown"))


def check_result(result: Any, variable: str | None = None, verb: str = "") -> xr.Dataset:
    """The result, if it is one (a problem alone has none), with the variable that a verb's results have."""
    import xarray as xr

    if not isinstance(result, xr.Dataset):
        raise fail("result", f"a result of {verb or 'a verb such as solve, simulate or compare'}", result)
    if variable is not None and variable not in result:
        raise fail("result", f"a result of {verb}", list(map(str, result.data_vars)))
    return result


def save(result: xr.Dataset, path: str | Path) -> Path:
    """Write a result as .nc (NetCDF), .json or .csv; all three can be loaded again.

    The file is written beside the old one and replaces it in one step; it carries its SHA-256, which `load` checks.

    Raises
    ------
    ArgumentError : another ending.
    OSError : the file cannot be written; an older one stays as it was.
    """
    path = Path(path)
    return replace(path, _WRITERS[_kind(path)](check_result(result)))


def load(path: str | Path) -> xr.Dataset:
    """Read a result that `save` wrote, in this release or an earlier one.

    Raises
    ------
    ArgumentError : no such file, something else, or a result that was altered after it was saved.
    """
    path = Path(path)
    kind = _kind(path)
    if not path.exists():
        raise ArgumentError(f"Argument `path` must be an existing file, but {str(path)!r} does not exist.")
    try:
        return _typed(_READERS[kind](path.read_bytes()))
    except Exception as error:  # any other file of that ending may break the libraries that read it in any way
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArgumentError(
            f"Argument `path` must be a result that this package saved, but {str(path)!r} is not: {reason[:120]}."
        ) from None


def _kind(path: Path) -> str:
    kind = path.suffix.lower()
    if kind not in _WRITERS:
        raise fail("path", "a file name ending in .nc, .json or .csv", str(path))
    return kind


def _to_netcdf(result: xr.Dataset) -> bytes:
    """In memory: what the NetCDF library leaves of a file that it cannot finish, and raises, is its own affair."""
    import netCDF4
    import xarray as xr

    file = netCDF4.Dataset("result.nc", mode="w", format="NETCDF4", memory=1)
    result.dump_to_store(xr.backends.NetCDF4DataStore(file))  # type: ignore[no-untyped-call]
    return seal.sealed(bytes(file.close()))


def _from_netcdf(stored: bytes) -> xr.Dataset:
    import netCDF4
    import xarray as xr

    file = netCDF4.Dataset("result.nc", mode="r", memory=seal.opened(stored))
    with xr.open_dataset(xr.backends.NetCDF4DataStore(file)) as opened:  # type: ignore[no-untyped-call]
        return opened.load()


def _to_json(result: xr.Dataset) -> bytes:
    return json.dumps(seal.sealed_object(_as_json(result.to_dict()))).encode()


def _from_json(stored: bytes) -> xr.Dataset:
    import xarray as xr

    return xr.Dataset.from_dict(seal.opened_object(json.loads(stored, parse_constant=float)))


def _to_csv(result: xr.Dataset) -> bytes:
    columns = {str(k): {"dims": list(map(str, v.dims)), "attrs": v.attrs} for k, v in result.variables.items()}
    header = _as_json({"attrs": result.attrs, "coords": list(map(str, result.coords)), "columns": columns})
    frame = result.reset_coords().to_dataframe().reset_index()
    rows = frame.to_csv(index=False, float_format="%.17g", lineterminator="\n").encode()
    return f"# {json.dumps(seal.sealed_object(header, rows))}\n".encode() + rows


def _from_csv(stored: bytes) -> xr.Dataset:
    import csv
    import io

    import xarray as xr

    first, _, rest = stored.partition(b"\n")
    header = seal.opened_object(json.loads(first.decode().lstrip("# ")), rest)
    names, *rows = csv.reader(io.StringIO(rest.decode(), newline=""))
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


_WRITERS = {".nc": _to_netcdf, ".json": _to_json, ".csv": _to_csv}
_READERS = {".nc": _from_netcdf, ".json": _from_json, ".csv": _from_csv}


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


def _as_json(value: Any) -> dict[str, Any]:
    """What a reader of the JSON text will see."""
    plain: dict[str, Any] = json.loads(json.dumps(_finite(value), default=_plain))
    return plain


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
    return _as_json(values | {"dims": dims, "attrs": shown})
