"""Reference numbers of the papers, from theory alone."""

import pytest

from gaussequiv.papers import aubin2020, cui2023, schroder2023
from gaussequiv.reproduce import catalogue
from gaussequiv.reproduce.paper import combine
from gaussequiv.run.solve import solve


def disagreeing(checks):
    return [check for check in checks if not check.agrees]


def test_cui2023_regression():
    checks = catalogue.get("cui2023").figure("regression").check({"theory": cui2023.regression_theory()})
    assert len(checks) == 15 and not disagreeing(checks)


def test_cui2023_classification():
    checks = catalogue.get("cui2023").figure("classification").check(cui2023.classification_theory(8))
    assert len(checks) == 16 and not disagreeing(checks)


def test_aubin2020():
    problem = aubin2020.Problem(aubin2020.TARGET, learner=tuple(aubin2020.LEARNERS.values()))
    theory = solve(problem, aubin2020.AT)
    parts = {name: theory.sel(learner=learner.label, drop=True) for name, learner in aubin2020.LEARNERS.items()}
    checks = catalogue.get("aubin2020").figure("perceptron").check({"theory": combine(parts, "aubin2020")})
    assert len(checks) == 20 and not disagreeing(checks)


def test_schroder2023_door_is_the_clipped_line():
    assert schroder2023.door(schroder2023.np.array([-3.0, -1.0, 0.0, 2.5])).tolist() == [-2.2, -1.1, 0.0, 2.2]


@pytest.mark.slow
@pytest.mark.parametrize("key", catalogue.keys())
def test_fast_reproductions_agree_and_leave_their_files(key, tmp_path):
    from gaussequiv.reproduce.reproduce import reproduce

    made = reproduce(key, fast=True, output=tmp_path)
    for one in made:
        assert one.checks and not disagreeing(one.checks)
        assert all(path.stat().st_size > 0 for path in one.files)
