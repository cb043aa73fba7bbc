"""Tables as people have them: separated text of any kind, Parquet, NumPy archives; columns that are no numbers are encoded or named."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import lzma
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from gaussequiv.errors import ArgumentError, choice, did_you_mean, fail

if TYPE_CHECKING:
    import pandas as pd

TEXT, BINARY = (".csv", ".tsv", ".txt"), (".npz", ".parquet")
PACKED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
SEPARATORS = ",;\t|"
SEEN = 1 << 16  # characters from which the separator is recognised
MOST_LEVELS, ROWS_PER_LEVEL = 30, 2  # of a column that is one-hot encoded
MOSTLY = 0.5  # share of numbers from which other text is a missing value of a kind
NAMED = 8  # columns that a message lists
DECIMAL_COMMA = r"[+-]?\d+,\d+"
MARKED = r"[^\w\s]{0,2}\s?[+-]?\d[\d.,' ]*\s?[^\d\s]{0,4}"  # numbers with a currency, a unit, a percent sign or thousands marks
DATE = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|[A-Za-z]{3,9}\.? (\d{1,2},? )?\d{4}|\d{1,2} [A-Za-z]{3,9}\.?,? \d{2,4}"


class Reading(NamedTuple):
    """How a table is read: what `predict-curve` asks of its user."""

    separator: str | None = None
    encoding: str = "utf-8"
    drop: Sequence[str] = ()
    complete_rows: bool = False


def read_table(data: str, target: str, reading: Reading | None = None) -> tuple[Any, Any]:
    """Rows and target of a separated text file (packed or not), an NPZ or a Parquet file.

    Text and Parquet: `target` is a column, the others are features. Columns of text with few levels become one column for each level;
    dates, free text and missing values are refused by the names of their columns. NPZ: `target` is an array, and the rows are the array X,
    or the only other one. What is decided on the way is told on stderr.
    """
    reading, path = reading or Reading(), Path(data)
    kind, packed = _ending(path)
    if kind not in TEXT and (packed or kind not in BINARY):
        raise fail("data", f"a file name ending in {', '.join(TEXT)} (and then perhaps {', '.join(PACKED)}), {', '.join(BINARY)}", data)
    if not path.is_file():
        raise ArgumentError(f"Argument `data` must be an existing file, but {data!r} does not exist.")
    if kind == ".npz":
        if reading.drop or reading.complete_rows:
            raise ArgumentError(
                "Argument `data` must be a table of named columns for --drop and --complete-rows, but is an archive of arrays."
            )
        return _arrays(path, target)
    table = _parquet(path) if kind == ".parquet" else _text(path, reading)
    return _features(table, target, reading)


def _ending(path: Path) -> tuple[str, str]:
    """The kind of a file by its name, and how it is packed."""
    *_, before, last = "", "", *(suffix.lower() for suffix in path.suffixes)
    return (before, last) if last in PACKED else (last, "")


def _note(words: str) -> None:
    print(f"note: {words}", file=sys.stderr)


def _arrays(path: Path, target: str) -> tuple[Any, Any]:
    try:
        with path.open("rb") as file:
            stored = np.load(file, allow_pickle=False)
            if isinstance(stored, np.ndarray):
                raise ValueError("it holds one array without a name")
            arrays = {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError, BadZipFile, zlib.error) as error:
        raise ArgumentError(f"Argument `data` must be a file of plain arrays, but {str(path)!r} is not: {error}.") from None
    choice("target", target, arrays)
    others = [name for name in arrays if name != target]
    name = "X" if "X" in others else others[0] if len(others) == 1 else None
    if name is None:
        raise ArgumentError(f"Argument `data` must hold the rows as X, or as its only other array, but it holds {', '.join(arrays)}.")
    rows = arrays[name]
    return rows.reshape(len(rows), -1) if rows.ndim > 2 else rows, arrays[target]


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except ImportError:
        raise ArgumentError(
            "Argument `data` must be .csv or .npz here: Parquet files need pyarrow, which is not installed (pip install pyarrow)."
        ) from None
    except (ValueError, OSError) as error:
        raise _unreadable(path, error) from None


def _text(path: Path, reading: Reading) -> pd.DataFrame:
    import pandas as pd

    try:
        separator = (reading.separator or _recognised(path, reading.encoding)).replace("\\t", "\t")
        if len(separator) != 1:
            raise fail("separator", "one character, such as ',' or ';' (or \\t, a tab)", reading.separator)
        table = pd.read_csv(path, sep=separator, encoding=reading.encoding, low_memory=False)
        if separator != "," and any(_all_match(table[name], DECIMAL_COMMA) for name in table):
            _note("numbers such as 1,5 are read with a decimal comma")
            table = pd.read_csv(path, sep=separator, encoding=reading.encoding, low_memory=False, decimal=",")
    except LookupError:
        raise fail("encoding", "one that Python knows, such as utf-8, latin-1 or cp1252", reading.encoding) from None
    except UnicodeError as error:
        raise ArgumentError(
            f"Argument `data` must be text in the encoding {reading.encoding}, but {str(path)!r} is not ({error}). "
            f"Name its own with --encoding, such as {_likely(path)}."
        ) from None
    except (ValueError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise error if isinstance(error, ArgumentError) else _unreadable(path, error) from None
    return table


def _likely(path: Path) -> str:
    """Encodings that text which is not UTF-8 may have."""
    with path.open("rb") as file:
        marked = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return "utf-16" if marked else "latin-1 or cp1252"


def _recognised(path: Path, encoding: str) -> str:
    """The separator of a file: a tab for .tsv, else the one that cuts its first lines into the same number of columns, else a comma."""
    kind, packed = _ending(path)
    if kind == ".tsv":
        return "\t"
    with PACKED.get(packed, open)(path, "rt", encoding=encoding, newline="") as file:
        lines = file.read(SEEN).splitlines()
    lines = lines[:-1] if len(lines) > 1 else lines  # the last is cut
    best, columns = ",", 1
    for separator in SEPARATORS:
        counts = {len(row) for row in csv.reader(lines, delimiter=separator) if row}
        if len(counts) == 1 and (count := counts.pop()) > columns:
            best, columns = separator, count
    if best != ",":
        _note(f"columns are separated by {best!r}")
    return best


def _unreadable(path: Path, error: Exception) -> ArgumentError:
    return ArgumentError(f"Argument `data` must be a readable table, but {str(path)!r} is not: {error}.")


def _features(table: pd.DataFrame, target: str, reading: Reading) -> tuple[Any, Any]:
    import pandas as pd

    table.columns = table.columns.map(str)
    choice("target", target, list(table.columns))
    for name in reading.drop:
        if name not in table or name == target:
            meaning = did_you_mean(name, [str(one) for one in table.columns if one != target]).strip()
            raise fail("drop", f"columns of the table other than the target {target!r}", name, meaning)
    table = table.drop(columns=list(reading.drop))
    if table.empty or table.shape[1] < 2:
        raise ArgumentError(f"Argument `data` must have rows and a column beside the target {target!r}, but has {table.shape} of both.")
    rows = _without_index(table.drop(columns=target))
    table = _complete(table[[*rows.columns, target]], target, reading.complete_rows)
    rows = table.drop(columns=target)
    words = [name for name in rows if not pd.api.types.is_numeric_dtype(rows[name])]
    dates = [name for name in words if _is_date(rows[name])]
    if dates:
        raise ArgumentError(
            f"Argument `data` must have numbers or categories as features, but these columns are dates or times: {_list(dates)}. "
            f"Leave them out with --drop {dates[0]}, or put numbers in their place (a year, a month, days since)."
        )
    spoiled = {name: _others(rows[name]) for name in words}
    spoiled = {name: others for name, others in spoiled.items() if 0 < len(others) <= (1 - MOSTLY) * len(rows)}
    if spoiled:
        counted = _list([f"{_named(name)} ({others.iloc[0]!r} and the like in {len(others)} rows)" for name, others in spoiled.items()])
        raise ArgumentError(
            f"Argument `data` must have numbers or categories as features, but these columns mix numbers and text: {counted}. "
            f"Leave them out with --drop {next(iter(spoiled))}, or make these fields empty if they stand for missing values."
        )
    marked = [name for name in words if _all_match(rows[name], MARKED)]
    if marked:
        shown = _list([f"{_named(name)} ({rows[name].iloc[0]!r})" for name in marked])
        raise ArgumentError(
            f"Argument `data` must have numbers or categories as features, but these columns hold numbers with marks or units: {shown}. "
            f"Leave them out with --drop {marked[0]}, or write them as plain numbers."
        )
    levels = {name: rows[name].nunique() for name in words}
    many = [name for name in words if levels[name] > min(MOST_LEVELS, len(rows) / ROWS_PER_LEVEL)]
    if many:
        counted = _list([f"{_named(name)} ({levels[name]} values in {len(rows)} rows)" for name in many])
        raise ArgumentError(
            f"Argument `data` must have numbers or categories of at most {MOST_LEVELS} levels as features, but these columns hold "
            f"other text: {counted}. Leave them out with --drop {many[0]}, or encode them first."
        )
    numbers = rows.drop(columns=words).to_numpy(dtype=np.float64)
    if not words:
        return numbers, table[target].to_numpy()
    from sklearn.preprocessing import OneHotEncoder

    _note("one column for each level of " + _list([f"{_named(name)} ({levels[name]})" for name in words]) + ", one alone for two levels")
    encoded = OneHotEncoder(drop="if_binary", sparse_output=False).fit_transform(rows[words].astype(str).to_numpy(dtype=object))
    return np.hstack([numbers, encoded]), table[target].to_numpy()


def _others(column: pd.Series[Any]) -> pd.Series[Any]:
    """The values of a column of text that are no numbers."""
    import pandas as pd

    return column[pd.to_numeric(column.astype(str), errors="coerce").isna()]


def _complete(table: pd.DataFrame, target: str, complete_rows: bool) -> pd.DataFrame:
    """The table where no value is missing."""
    missing = {str(name): int(table[name].isna().sum()) for name in table if table[name].isna().any()}
    if not missing:
        return table
    if complete_rows:
        kept = table.dropna()
        _note(f"{len(table) - len(kept)} of {len(table)} rows have missing values and are left out")
        if kept.empty:
            raise ArgumentError("Argument `data` must have rows without missing values, but every row has one.")
        return kept
    counted = _list([f"{_named(name)} ({count} of {len(table)})" for name, count in missing.items()])
    features = [name for name in missing if name != target]
    way = (
        f"Leave columns out with --drop {features[0]}, rows with --complete-rows"
        if features
        else "Leave those rows out with --complete-rows"
    )
    raise ArgumentError(f"Argument `data` must have no missing values, but these columns have some: {counted}. {way}, or fill them first.")


def _is_date(column: pd.Series[Any]) -> bool:
    """Dates and times, and text all of which reads as such."""
    import pandas as pd

    if any(one(column.dtype) for one in (pd.api.types.is_datetime64_any_dtype, pd.api.types.is_timedelta64_dtype)):
        return True
    if not _all_match(column, DATE):
        return False
    return bool(pd.to_datetime(column, errors="coerce", format="mixed").notna().all())


def _all_match(column: pd.Series[Any], pattern: str) -> bool:
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) or not len(column):
        return False
    known = column.dropna().astype(str).str.strip()
    return bool(len(known)) and bool(known.str.fullmatch(pattern).all())


def _list(names: Sequence[Any]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(str, names[:NAMED])) + more


def _named(column: Any) -> str:
    return f"{column!r} (a column without a name in the file)" if _unnamed(column) else str(column)


def _unnamed(column: Any) -> bool:
    return str(column).startswith("Unnamed: ")  # pandas' name of a column without a header


def _without_index(rows: pd.DataFrame) -> pd.DataFrame:
    """Columns without a name that count the rows are an index, and dropped; others are kept; notes on stderr."""
    import pandas as pd

    for column in [name for name in rows.columns if _unnamed(name)]:
        values = rows[column]
        if not pd.api.types.is_numeric_dtype(values):
            continue
        if len(values) > 1 and (values.diff().iloc[1:] == 1).all():
            _note(f"{_named(column)} counts the rows: dropped as an index")
            rows = rows.drop(columns=column)
        else:
            _note(f"{_named(column)} is taken as a feature")
    return rows
