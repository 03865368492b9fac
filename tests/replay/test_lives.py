"""The first and the last second in which a JWT for one use can be used: a replay store needs both."""

import pytest

from flask_private_key_jwt.jose import jose
from tests.conftest import START

SKEW, LONGEST = 10, 300


def passes(claims, now):
    try:
        return jose.check_life(claims, now=now, skew=SKEW, longest=LONGEST)
    except jose.JoseProblem:
        return None


@pytest.mark.parametrize(
    "claims",
    [
        {"iat": START, "exp": START + 60},
        {"iat": START + 0.5, "exp": START + 60.5},
        {"iat": START - 30, "exp": START + 270},
        {"exp": START + 60},
        {"exp": START + 299.5},
    ],
)
def test_no_second_in_which_a_jwt_passes_is_outside_its_life(claims):
    seconds = [now for now in range(START - 400, START + 400) if passes(claims, now)]
    first, last = passes(claims, START)

    assert first <= seconds[0] <= first + 1
    assert last - 1 <= seconds[-1] <= last


def test_a_life_that_begins_later_says_so():
    first, _ = passes({"iat": START, "exp": START + 60}, START)
    later, _ = passes({"iat": START + 5, "exp": START + 60}, START)

    assert later == first + 5
