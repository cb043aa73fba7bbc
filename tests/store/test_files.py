"""Files are replaced in one step: whatever fails, the old one stays and nothing is left beside it."""

import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

import gaussequiv as ge
from gaussequiv.reproduce.reproduce import reproduce
from gaussequiv.store import files

CURVE = ge.solve(ge.Problem(), [1.0])
FULL = """
import resource, signal, sys
import gaussequiv as ge
old, new = ge.load(sys.argv[1]), ge.solve(ge.Problem(), [0.5, 2.0])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # the disk is full after 1000 bytes
try:
    ge.save(new, sys.argv[1])
except OSError as error:
    print("refused", error.errno is not None)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
@pytest.mark.parametrize("kind", ["nc", "json", "csv"])
def test_a_full_disk_leaves_the_old_result(tmp_path, kind):
    path = ge.save(CURVE, tmp_path / f"a.{kind}")
    before = path.read_bytes()
    out = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=False)
    assert out.stdout.strip() == "refused True", out.stderr
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("stop", [OSError("no space left on device"), KeyboardInterrupt()])
def test_every_writer_leaves_the_old_file_when_it_is_stopped(tmp_path, monkeypatch, stop):
    figure = Figure()
    writers = {
        "a.nc": lambda path: ge.save(CURVE, path),
        "a.json": lambda path: ge.save(CURVE, path),
        "a.csv": lambda path: ge.save(CURVE, path),
        "a.png": lambda path: files.replace_figure(path, figure),
        "a.svg": lambda path: files.replace_figure(path, figure),
        "sur2019.md": lambda path: reproduce("sur2019", fast=True, output=path.parent),
    }
    for name in writers:
        (tmp_path / name).write_text("old")

    def broken(handle):
        raise stop

    monkeypatch.setattr(files.os, "fsync", broken)
    for name, write in writers.items():
        with pytest.raises(type(stop)):
            write(tmp_path / name)
        assert (tmp_path / name).read_text() == "old"
    assert {one.name for one in tmp_path.iterdir()} == set(writers)


def test_links_and_permissions_stay(tmp_path):
    place, link = tmp_path / "deep" / "a.json", tmp_path / "b.json"
    files.replace(place, b"one")
    place.chmod(0o640)
    link.symlink_to(place)
    assert files.replace(link, b"two") == link
    assert link.is_symlink() and place.read_bytes() == b"two"
    assert os.name == "nt" or place.stat().st_mode & 0o777 == 0o640


def test_long_names_are_written(tmp_path):
    path = files.replace(tmp_path / ("a" * 250 + ".csv"), b"one")
    assert path.read_bytes() == b"one"


def test_pictures_have_the_format_of_their_ending(tmp_path):
    axes = Figure().subplots()
    axes.plot(np.arange(3))
    starts = {"png": b"\x89PNG", "PDF": b"%PDF", "svg": b"<?xml"}
    for ending, start in starts.items():
        assert files.replace_figure(tmp_path / f"a.{ending}", axes.figure, dpi=30).read_bytes().startswith(start)
