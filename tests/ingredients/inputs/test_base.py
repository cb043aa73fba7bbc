"""Input laws: what a covariance must be, what centring keeps, and how rows are drawn."""

import numpy as np
import pytest

from gaussequiv import ArgumentError, DataInputs, GaussianInputs
from gaussequiv.ingredients.inputs.base import BLOCK
from gaussequiv.numerics.keys import TEST, TRAIN

RNG = np.random.default_rng(0)
FACTOR = RNG.standard_normal((6, 6))
COVARIANCE = FACTOR @ FACTOR.T / 6
TABLE = RNG.standard_normal((40, 5)) @ RNG.standard_normal((5, 5)) + 3.0


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        ([[1.0, 0.5], [0.4, 1.0]], "symmetric"),
        ([[1.0, 2.0], [2.0, 1.0]], "positive semi-definite"),
        ([[1.0, np.nan], [np.nan, 1.0]], "finite"),
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], "square"),
        ([[0.0, 0.0], [0.0, 0.0]], "positive"),
        ([1.0, 2.0], "2 dimensions"),
        (np.zeros((0, 0)), "non-empty"),
        ("identity", "an array of numbers"),
    ],
)
def test_what_is_wrong_with_a_covariance_is_named(matrix, reason):
    with pytest.raises(ArgumentError, match=f"`covariance`.*{reason}"):
        GaussianInputs(covariance=matrix)


def test_a_singular_covariance_is_allowed_and_its_null_space_is_exactly_zero():
    v = np.array([1.0, 2.0, 3.0])
    values, mass = GaussianInputs(covariance=np.outer(v, v)).modes(None)
    assert values.max() == pytest.approx(14.0)
    assert mass[values == 0] == pytest.approx([2 / 3])


def test_a_covariance_fixes_dimension_spectrum_and_sampling():
    inputs = GaussianInputs(covariance=COVARIANCE)
    assert inputs.dimension == 6
    values, mass = inputs.modes(None)
    assert values == pytest.approx(np.linalg.eigvalsh(COVARIANCE)[::-1], rel=1e-12)
    assert mass == pytest.approx(np.full(6, 1 / 6))
    rows = inputs.rows((1,), 6, 1, 1)
    x = np.concatenate([rows.block(TRAIN, k * BLOCK, (k + 1) * BLOCK) for k in range(40)])
    # entries of a sample covariance deviate by sqrt(2) C_ii / sqrt(rows) at most
    assert np.max(np.abs(x.T @ x / len(x) - COVARIANCE)) < 5 * np.sqrt(2 / len(x)) * COVARIANCE.max()


@pytest.mark.parametrize("inputs", [GaussianInputs(covariance=COVARIANCE), GaussianInputs("power-law:0.7"), DataInputs(TABLE)])
def test_whitening_gives_identity_covariance(inputs):
    d = inputs.dimension or 6
    rotation, w = inputs.whiten(d)
    covariance = {6: COVARIANCE, 5: np.cov(TABLE.T, bias=True)}[d] if inputs.dimension else np.diag(inputs.spectrum.at(d))
    rotation = np.eye(d) if rotation is None else rotation
    assert rotation.T @ covariance @ rotation / np.sqrt(np.outer(w, w)) == pytest.approx(np.eye(d), abs=1e-10)


@pytest.mark.parametrize("mean", [[1.0, 2.0], np.ones((2, 2)), np.nan, "a", []])
def test_a_wrong_mean_is_refused(mean):
    with pytest.raises(ArgumentError, match="`mean`"):
        GaussianInputs(covariance=COVARIANCE, mean=mean)


def test_only_the_mean_square_of_the_mean_enters():
    assert GaussianInputs(mean=2.0).mean_square == 4.0
    assert GaussianInputs(mean=2.0).dimension is None
    vector = GaussianInputs(mean=[1.0, 2.0, 3.0])
    assert (vector.mean_square, vector.dimension) == (pytest.approx(14 / 3), 3)
    x = vector.rows((0,), 3, 1, 1).block(TRAIN, 0, BLOCK)
    assert x.mean(axis=0) == pytest.approx([1, 2, 3], abs=5 / np.sqrt(BLOCK))


def test_isotropy_is_the_hypothesis_of_the_theorem():
    assert GaussianInputs().isotropic
    assert not any(one.isotropic for one in (GaussianInputs("identity:2"), GaussianInputs(mean=1.0), GaussianInputs(covariance=np.eye(2))))


@pytest.mark.parametrize("inputs", [GaussianInputs(), GaussianInputs("power-law:0.5", mean=0.3), GaussianInputs(covariance=COVARIANCE)])
@pytest.mark.parametrize("purpose", [TRAIN, TEST])
def test_gaussian_blocks_are_prefix_stable(inputs, purpose):
    rows = inputs.rows((3, 1), 6, 10, 10)
    more = inputs.rows((3, 1), 6, 5000, 9000)
    assert np.array_equal(rows.block(purpose, BLOCK, BLOCK + 7), more.block(purpose, BLOCK, 2 * BLOCK)[:7])


def test_gaussian_blocks_differ_between_blocks_purposes_and_keys():
    inputs = GaussianInputs()
    rows = inputs.rows((3, 1), 4, 10, 10)
    blocks = [rows.block(TRAIN, 0, 4), rows.block(TEST, 0, 4), rows.block(TRAIN, BLOCK, BLOCK + 4)]
    blocks += [inputs.rows((3, 2), 4, 10, 10).block(TRAIN, 0, 4), inputs.rows((4, 1), 4, 10, 10).block(TRAIN, 0, 4)]
    assert len({block.tobytes() for block in blocks}) == 5


@pytest.mark.parametrize("text", ["identity:2", "power-law:0.8", "two-level:4:0.2:0.25", "3,1,0.5"])
def test_modes_at_a_size_are_the_eigenvalues_of_the_simulation(text):
    inputs = GaussianInputs(text)
    values, mass = inputs.modes(12)
    repeated = np.repeat(values, np.rint(mass * 12).astype(int))
    assert sorted(repeated) == sorted(inputs.spectrum.at(12))


def test_data_are_centred_and_constant_columns_dropped():
    table = np.column_stack([TABLE[:, :2], np.full(40, 7.0), TABLE[:, 2:]])
    inputs = DataInputs(table, name="mine")
    assert (inputs.dimension, inputs.dropped, inputs.scale) == (5, (2,), 1.0)
    assert inputs.means == pytest.approx(table.mean(axis=0))
    assert np.abs(inputs.matrix.mean(axis=0)).max() < 1e-14
    assert inputs.matrix == pytest.approx(TABLE - TABLE.mean(axis=0))
    values, mass = inputs.modes(None)
    assert values == pytest.approx(np.linalg.eigvalsh(np.cov(TABLE.T, bias=True))[::-1], rel=1e-10)
    assert mass.sum() == pytest.approx(1.0)


def test_normalised_data_have_mean_variance_one():
    inputs = DataInputs(TABLE, normalise=True)
    assert np.mean(inputs.matrix**2) == pytest.approx(1.0, rel=1e-14)
    assert inputs.matrix * inputs.scale == pytest.approx(TABLE - TABLE.mean(axis=0))
    values, mass = inputs.modes(None)
    assert mass @ values == pytest.approx(1.0, rel=1e-12)


def test_the_digest_follows_the_data():
    assert DataInputs(TABLE).digest == DataInputs(np.asfortranarray(TABLE)).digest
    changed = TABLE.copy()
    changed[3, 2] += 1e-9
    assert DataInputs(changed).digest != DataInputs(TABLE).digest


def test_the_caller_keeps_an_unchanged_matrix():
    table = TABLE.copy()
    DataInputs(table, normalise=True)
    assert np.array_equal(table, TABLE)


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        (np.ones((10, 3)), "column that varies"),
        (TABLE[:2], "at least 3 rows"),
        (TABLE[0], "2 dimensions"),
        (np.where(TABLE > 4, np.inf, TABLE), "finite"),
        ([["a", "b"]] * 4, "an array of numbers"),
    ],
)
def test_what_is_wrong_with_a_data_matrix_is_named(matrix, reason):
    with pytest.raises(ArgumentError, match=f"`matrix`.*{reason}"):
        DataInputs(matrix)


def test_train_and_test_rows_of_data_never_coincide():
    inputs = DataInputs(TABLE)
    for trial in range(20):
        rows = inputs.rows((0, trial), 5, 28, 12)
        both = np.concatenate([rows.block(TRAIN, 0, 28), rows.block(TEST, 0, 12)])
        assert np.unique(both, axis=0).shape == (40, 5)


def test_data_blocks_are_prefix_stable():
    inputs = DataInputs(TABLE)
    few, many = inputs.rows((1, 2), 5, 8, 10), inputs.rows((1, 2), 5, 30, 10)
    assert np.array_equal(few.block(TRAIN, 0, 8), many.block(TRAIN, 0, 30)[:8])
    assert np.array_equal(few.block(TEST, 0, 10), many.block(TEST, 0, 10))


def test_asking_for_more_rows_than_there_are_is_an_error():
    with pytest.raises(ArgumentError, match="30 training and 11 test rows of 'data', which has 40"):
        DataInputs(TABLE).rows((0,), 5, 30, 11)
