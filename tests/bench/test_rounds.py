"""Which rounds of the benchmark count."""

import pytest

from bench.rounds import QUIET, Round, choose, count_quiet, find_undisturbed


def make_round(cal: float, *, after: float | None = None, microseconds: float = 500) -> Round:
    return Round(cal, cal if after is None else after, microseconds, per_second=1000)


def test_undisturbed_machine_is_as_fast_as_in_one_of_twenty_measurements():
    assert find_undisturbed([100.0]) == 100
    assert find_undisturbed([*range(20, 0, -1)]) == 1
    assert find_undisturbed([*range(1, 101)]) == 5


@pytest.mark.parametrize(
    ("found", "counts"),
    [
        (make_round(60 * QUIET), True),
        (make_round(60 * QUIET + 0.1), False),
        (make_round(60, after=60 * QUIET + 0.1), False),
        (make_round(60 * QUIET + 0.1, after=60), False),
    ],
)
def test_round_counts_if_the_machine_was_undisturbed_before_and_after_it(found, counts):
    assert count_quiet([found], 60) == counts


def test_cost_is_in_the_cal_of_its_own_round():
    assert make_round(50, after=150, microseconds=500).cost == 5


def test_rounds_of_a_disturbed_machine_are_left_out():
    quiet, disturbed = [make_round(60), make_round(61), make_round(62)], [make_round(90), make_round(100)]

    assert choose([*disturbed, *quiet], 60, wanted=2) == quiet


def test_quietest_rounds_are_taken_if_too_few_are_quiet():
    rounds = [make_round(90), make_round(60), make_round(80)]

    assert choose(rounds, 60, wanted=2) == [rounds[1], rounds[2]]
