"""Tables of the command line: what people have is read, told, or refused by the names of its columns."""

import gzip

import numpy as np
import pandas as pd
import pytest

from gaussequiv.cli.tables import Reading, read_table
from gaussequiv.errors import ArgumentError

TABLE = pd.DataFrame(
    {"age": [30, 41, 25, 60], "town": ["Bath", "York", "Bath", "Bath"], "open": ["no", "yes", "yes", "no"], "y": [1, 0, 0, 1]}
)
ENCODED = [[30.0, 0, 0], [41, 1, 1], [25, 0, 1], [60, 0, 0]]  # York or not, open or not


@pytest.fixture
def written(tmp_path):
    def write(text, name="t.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return str(path)

    return write


def refusal(path, *parts, target="y", **reading):
    """The message of the refusal, which names all of the parts."""
    with pytest.raises(ArgumentError) as caught:
        read_table(path, target, Reading(**reading))
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(("separator", "told"), [(",", ""), (";", "';'"), ("\t", "'\\t'"), ("|", "'|'")])
def test_the_separator_is_recognised_and_told(written, capsys, separator, told):
    path = written(TABLE[["age", "y"]].to_csv(sep=separator, index=False))
    rows, target = read_table(path, "y")
    assert rows.tolist() == [[30.0], [41.0], [25.0], [60.0]] and target.tolist() == [1, 0, 0, 1]
    assert capsys.readouterr().err == (f"note: columns are separated by {told}\n" if told else "")


def test_a_separator_inside_quotes_cuts_nothing(written):
    assert read_table(written('a,b,y\n1,2,"x;y;z"\n3,4,"u;v"\n'), "y")[0].tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_separators_by_the_name_of_the_file_and_by_hand(written):
    assert read_table(written("a\ty\n1\t2\n", "t.tsv"), "y")[0].tolist() == [[1.0]]
    assert read_table(written("a:y\n1:2\n"), "y", Reading(separator=":"))[0].tolist() == [[1.0]]
    assert read_table(written("a\ty\n1\t2\n"), "y", Reading(separator="\\t"))[0].tolist() == [[1.0]]
    refusal(written("a,y\n1,2\n"), "`separator`", separator="::")


def test_decimal_commas(written, capsys):
    rows, target = read_table(written("a;y\n1,5;2,25\n-3,0;1\n"), "y")
    assert rows.tolist() == [[1.5], [-3.0]] and target.tolist() == [2.25, 1.0]
    assert "decimal comma" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["t.csv.gz", "t.tsv.gz"])
def test_packed_text(tmp_path, name):
    separator = "\t" if "tsv" in name else ","
    (tmp_path / name).write_bytes(gzip.compress(TABLE.to_csv(sep=separator, index=False).encode()))
    assert read_table(str(tmp_path / name), "y")[0].tolist() == ENCODED
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes((tmp_path / name).read_bytes()[:-12])
    refusal(str(broken), "readable table")


def test_encodings(written):
    path = written("größe,y\n1,2\n3,4\n", encoding="latin-1")
    refusal(path, "encoding utf-8", "--encoding")
    assert read_table(path, "y", Reading(encoding="latin-1"))[0].tolist() == [[1.0], [3.0]]
    refusal(path, "`encoding`", encoding="latin-99")
    refusal(written("größe,y\n1,2\n", encoding="utf-16"), "--encoding, such as utf-16")
    assert read_table(written("a,y\n1,2\n", encoding="utf-8-sig"), "y")[0].tolist() == [[1.0]]


def test_categories_become_columns(written, capsys):
    assert read_table(written(TABLE.to_csv(index=False)), "y")[0].tolist() == ENCODED
    assert "one column for each level of town (2), open (2)" in capsys.readouterr().err
    three = pd.DataFrame({"a": list("pqrpqr"), "y": range(6)})
    assert read_table(written(three.to_csv(index=False)), "y")[0].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]] * 2


def test_columns_are_left_out(written):
    path = written(TABLE.to_csv(index=False))
    assert read_table(path, "y", Reading(drop=("town", "open")))[0].tolist() == [[30.0], [41.0], [25.0], [60.0]]
    refusal(path, "`drop`", "Did you mean 'town'", drop=("twon",))
    refusal(path, "other than the target 'y'", drop=("y",))


def test_text_that_is_no_category(written):
    refusal(written("a,b,y\n1,x,2\n3,z,4\n"), "b (2 values in 2 rows)", "--drop b")
    names = pd.DataFrame({"name": [f"n{i % 31}" for i in range(200)], "y": range(200)})
    refusal(written(names.to_csv(index=False)), "name (31 values in 200 rows)", "at most 30 levels")
    refusal(written("a,b,y\n" + "1,2,3\n" * 9 + "1,?,4\n"), "mix numbers and text", "b ('?' and the like in 1 rows)", "--drop b")


def test_dates(written, tmp_path):
    refusal(written("a,day,y\n1,2024-01-31,2\n3,2024-02-01 10:30,4\n"), "dates or times: day", "--drop day")
    moments = pd.DataFrame({"when": pd.to_datetime(["2024-01-31", "2024-02-01"]), "y": [1.0, 2.0]})
    moments.to_parquet(tmp_path / "t.parquet")
    refusal(str(tmp_path / "t.parquet"), "dates or times: when")


@pytest.mark.parametrize(
    "values", [["0.5%", "1%"], ["$10", "$1,200"], ["1,200", "3,100"], ["5 kg", "12 kg"], ["€ 3.50", "€ 10"], ["-3 C", "4 C"]]
)
def test_numbers_with_marks_are_no_categories(written, values):
    table = pd.DataFrame({"a": values * 10, "y": range(20)})
    refusal(written(table.to_csv(index=False)), f"numbers with marks or units: a ('{values[0]}')", "--drop a")


@pytest.mark.parametrize("values", [["Jan 2004", "Feb 2005"], ["3 March 2020", "14 May 2021"], ["01.02.2020", "03.04.2021"]])
def test_dates_in_words(written, values):
    table = pd.DataFrame({"a": values * 10, "y": range(20)})
    refusal(written(table.to_csv(index=False)), "dates or times: a")


def test_categories_with_digits_stay_categories(written):
    table = pd.DataFrame({"a": ["A1", "B2", "10-20", "over 65"] * 5, "y": range(20)})
    assert read_table(written(table.to_csv(index=False)), "y")[0].shape == (20, 4)


def test_missing_values(written, capsys):
    path = written("a,b,y\n1,,2\n,5,4\n5,6,7\n8,,9\n")
    refusal(path, "a (1 of 4), b (2 of 4)", "--drop a", "--complete-rows")
    assert read_table(path, "y", Reading(complete_rows=True))[0].tolist() == [[5.0, 6.0]]
    assert "3 of 4 rows have missing values and are left out" in capsys.readouterr().err
    assert read_table(path, "y", Reading(drop=("b",), complete_rows=True))[0].tolist() == [[1.0], [5.0], [8.0]]
    refusal(written("a,y\n1,\n2,3\n"), "y (1 of 2)", "Leave those rows out with --complete-rows")
    refusal(written("a,y\n1,\n,3\n"), "every row has one", complete_rows=True)


def test_parquet(tmp_path):
    path = tmp_path / "t.parquet"
    TABLE.assign(town=TABLE["town"].astype("category"), open=TABLE["open"] == "yes").to_parquet(path)
    assert read_table(str(path), "y")[0].tolist() == [[age, is_open, york] for age, york, is_open in ENCODED]
    whole = pd.DataFrame({"n": pd.array([1, None, 3], dtype="Int64"), "y": [0.0, 1, 2]})
    whole.to_parquet(path)
    refusal(str(path), "n (1 of 3)")
    assert read_table(str(path), "y", Reading(complete_rows=True))[0].tolist() == [[1.0], [3.0]]
    path.write_bytes(path.read_bytes()[:-9])
    refusal(str(path), "readable table")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    def missing(path):
        raise ImportError("no engine")

    monkeypatch.setattr(pd, "read_parquet", missing)
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1")
    refusal(str(path), "pip install pyarrow")


def test_archives_of_arrays(tmp_path):
    path, X = tmp_path / "t.npz", np.arange(12.0).reshape(3, 2, 2)
    np.savez_compressed(path, X=X, y=np.arange(3))
    assert read_table(str(path), "y")[0].tolist() == X.reshape(3, 4).tolist()
    refusal(str(path), "for --drop", drop=("X",))
    whole = path.read_bytes()
    for size in (10, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:size])
        refusal(str(path), "plain arrays")
    np.savez(path, X=np.array([{"a": 1}], dtype=object), y=[1])
    refusal(str(path), "plain arrays", "allow_pickle")
    with open(path, "wb") as file:
        np.save(file, X)
    refusal(str(path), "one array without a name")
    np.savez(path, a=X, b=X, y=np.arange(3))
    refusal(str(path), "rows as X")
    path.write_bytes(b"nothing")
    refusal(str(path), "plain arrays")


def test_columns_without_a_name(written, capsys):
    assert read_table(written(",a,y\n0,3,2\n1,5,4\n2,7,4\n"), "y")[0].tolist() == [[3.0], [5.0], [7.0]]
    assert "counts the rows: dropped as an index" in capsys.readouterr().err
    assert read_table(written(",a,y\n5,3,2\n1,5,4\n2,7,4\n"), "y")[0].shape == (3, 2)
    assert "taken as a feature" in capsys.readouterr().err
    refusal(written(",a,y\nr,3,2\ns,5,4\n"), "column without a name")


def test_files_that_are_not_tables(written, tmp_path):
    refusal(written("a,b,y\n1,2,3\n"), "one of a, b, y", target="z")
    refusal(str(tmp_path / "no.csv"), "does not exist")
    for name in ("t.xls", "t", "t.npz.gz", "t.gz"):
        refusal(name, "ending in")
    refusal(written(""), "readable table")
    refusal(written("a,b,y\n"), "must have rows")
    refusal(written("y\n1\n2\n"), "a column beside the target 'y'")
