"""Random keys: purposes never collide, every draw comes from its caller, and old keys give the old numbers."""

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest
from gaussequiv.algorithms.amp import GAMP
from gaussequiv.algorithms.design import Design
from gaussequiv.algorithms.vamp import VAMP, Spectrum
from gaussequiv.ingredients.outputs import AbsoluteValue
from gaussequiv.learners.sample import TrainingSample

import gaussequiv as ge
from gaussequiv.numerics import keys
from gaussequiv.problems.supervised import LEARNERS

ROOT = Path(ge.__file__).parent


def test_purposes_of_one_kind_of_key_differ():
    trial = [keys.TEACHER, keys.ROWS, keys.LABELS, keys.CENTRE, keys.FEATURES, keys.WEIGHTS, keys.SIDE_INFORMATION, keys.FIT, keys.NOISE]
    posterior = [keys.CHAIN_STARTS, keys.CHAINS, keys.PRIOR_NETWORKS]
    assert len(set(trial + posterior)) == len(trial + posterior)
    evidence = [keys.EVIDENCE_TEACHER, keys.EVIDENCE_ROWS, keys.EVIDENCE_LABELS, keys.UPWARDS, keys.DOWNWARDS]
    assert len(set(evidence)) == len(evidence)
    # trailing zeros do not change a NumPy seed: no purpose but a stream is 0, and a stream is followed by its purpose's rows
    assert 0 not in trial + posterior


def test_old_keys_give_the_old_numbers():
    """Changed draws would change every simulated number: their digits at release 0.1.0."""
    x = ge.GaussianInputs().rows((3, 1, keys.ROWS), 2, 4, 4)
    assert x.block(keys.TRAIN, 0, 1)[0].round(12).tolist() == np.random.default_rng((3, 1, 11, 0, 0)).standard_normal(2).round(12).tolist()
    assert x.block(keys.TEST, 0, 1)[0].round(12).tolist() == np.random.default_rng((3, 1, 11, 1, 0)).standard_normal(2).round(12).tolist()
    run = ge.simulate(ge.Problem(ge.DeepNetwork("tanh"), learner=ge.Ridge(0.3)), 2.0, d=10, trials=2, seed=5)
    assert run.test_error.values[0] == pytest.approx(OLD, rel=1e-9)


OLD = [0.06814456726698889, 0.16936497781900411]


def constant_seeds(path: Path) -> list[str]:
    """Generators that are made from a number written in the code."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            makes = name.endswith(("default_rng", "RandomState", "SeedSequence", "PRNGKey", "random.key", "random.seed"))
            plain = [arg for arg in node.args if all(isinstance(part, (ast.Constant, ast.Tuple, ast.Load)) for part in ast.walk(arg))]
            if makes and (plain or not node.args):
                found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
    return found


def test_nothing_draws_from_a_seed_of_its_own(tmp_path):
    assert not [line for path in sorted(ROOT.rglob("*.py")) for line in constant_seeds(path)]
    bad = tmp_path / "bad.py"
    bad.write_text("np.random.default_rng(0)\nnp.random.default_rng((1, 2))\nnp.random.default_rng(seed)\njax.random.key(0)\n")
    assert len(constant_seeds(bad)) == 3


@pytest.mark.parametrize("learner", LEARNERS.values())
def test_every_learner_takes_a_key(learner):
    names = list(inspect.signature(learner.fit).parameters)
    assert names == ["self", "sample", "equivalent", "key"]


def test_a_key_decides_where_a_blind_start_goes():
    rng = np.random.default_rng(1)
    x, theta, channel = rng.standard_normal((240, 60)), rng.standard_normal(60), AbsoluteValue(0.01)
    y = channel.sample(rng, x @ theta / np.sqrt(60))
    gamp, vamp = GAMP(x, y, None, channel, 0.0, 60), VAMP(Spectrum(Design(x / np.sqrt(60))), y, None, channel)
    for machine, field in ((gamp, "a"), (vamp, "mean")):
        found = [getattr(machine.run(key=np.random.default_rng(k))[0], field) for k in (0, 0, 1, 2, 3, 4)]
        assert np.array_equal(found[0], found[1])
        overlaps = [float(np.sign(one @ theta)) for one in found]
        assert set(overlaps) == {-1.0, 1.0}  # one of both mirror images, by the key
        for one in found:
            assert abs(one @ theta) > 0.98 * np.linalg.norm(one) * np.linalg.norm(theta)


def test_weights_of_samples_come_from_the_key():
    learner = ge.ERM("hinge", 0.1, sample_weight=((1.0, 0.5), (3.0, 0.5)))
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 20))
    e = ge.Problem(ge.DeepNetwork("tanh", task="classification"), learner=learner).equivalent()
    fits = [learner.fit(TrainingSample(x, np.sign(x[:, 0])), e, np.random.default_rng(k)).coefficients for k in (0, 0, 1)]
    assert np.array_equal(fits[0], fits[1]) and not np.allclose(fits[0], fits[2])
    with pytest.raises(ge.ArgumentError, match="`uniforms` must be one uniform draw"):
        learner.weights_of(np.ones(3), None)
