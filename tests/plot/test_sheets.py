"""Sheets of samples."""

import numpy as np
import pytest

from gaussequiv import plot
from gaussequiv.errors import ArgumentError


def test_images_stand_where_they_should():
    rng = np.random.default_rng(0)
    real, generated = rng.random((5, 6)), 2 * rng.random((3, 6))
    axes = plot.sample_sheet(real, generated, (2, 3), columns=4)
    sheet = axes.images[0].get_array()
    assert sheet.shape == (3 * 3, 4 * 4)
    for place, image in [((0, 0), real[0]), ((0, 12), real[3]), ((3, 0), real[4]), ((6, 8), generated[2])]:
        assert np.array_equal(sheet[place[0] : place[0] + 2, place[1] : place[1] + 3], image.reshape(2, 3))
    assert np.all(sheet[2] == real.max()) and np.all(sheet[3:6, 4:] == real.max())
    assert axes.images[0].get_clim() == (real.min(), real.max())
    assert axes.lines[0].get_ydata()[0] == 5.5


def test_rows_that_are_no_images_are_lines_of_pixels():
    axes = plot.sample_sheet(np.eye(5), np.eye(5)[:2], (5,), columns=1)
    assert axes.images[0].get_array().shape == (2 * 7, 6)
    axes.figure.canvas.draw()


def test_rows_of_another_shape_are_named():
    with pytest.raises(ArgumentError, match="Argument `generated` must be rows of 2 x 3 pixels"):
        plot.sample_sheet(np.ones((1, 6)), np.ones((1, 5)), (2, 3))
