"""Halfway: a start, and offers that nobody has to take."""

from gaussequiv.store.halfway import Halfway


def test_a_start_is_empty_and_an_offer_is_not_looked_at():
    halfway = Halfway()
    assert dict(halfway.state) == {}
    halfway.offer(lambda: 1 / 0)
    assert dict(halfway.state) == {}


def test_work_goes_on_from_its_state():
    assert Halfway({"done": 2}).state["done"] == 2
