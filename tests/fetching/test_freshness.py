"""fetching/freshness.py: how long an answer may be used, according to its headers."""

import pytest
from urllib3 import HTTPHeaderDict

from flask_private_key_jwt.fetching.freshness import fresh_for

NOW = 1_800_000_000  # Fri, 15 Jan 2027 08:00:00 GMT
DATE = "Fri, 15 Jan 2027 08:00:00 GMT"
IN_AN_HOUR = "Fri, 15 Jan 2027 09:00:00 GMT"


def read(**headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return fresh_for(HTTPHeaderDict(named), now=NOW)


@pytest.mark.parametrize(
    "text", ["max-age=300", "public, max-age=300", 'MAX-AGE = "300"', "max-age=300, must-revalidate,", "max-age=0300"]
)
def test_max_age_is_read_in_every_spelling(text):
    assert read(cache_control=text) == 300


@pytest.mark.parametrize("text", ["no-store", "no-cache", "max-age=300, No-Store", "no-cache=set-cookie, max-age=300"])
def test_what_must_not_be_cached_is_stale_at_once(text):
    assert read(cache_control=text) == 0


@pytest.mark.parametrize(
    "text", ["max-age", "max-age=", "max-age=x", "max-age=-5", "max-age=1.5", "max-age=" + "9" * 11]
)
def test_a_max_age_that_cannot_be_read_is_stale_at_once(text):
    assert read(cache_control=text) == 0


def test_of_two_max_ages_the_shorter_counts():
    assert read(cache_control="max-age=300, max-age=20") == 20


def test_the_time_spent_in_caches_is_taken_off():
    assert read(cache_control="max-age=300", age="100") == 200


def test_an_answer_older_than_its_max_age_is_stale():
    assert read(cache_control="max-age=300", age="400") == 0


@pytest.mark.parametrize("age", ["x", "-5", "", "1.5"])
def test_an_age_that_cannot_be_read_is_ignored(age):
    assert read(cache_control="max-age=300", age=age) == 300


@pytest.mark.parametrize("text", ["", "public", "s-maxage=5", "x-max-age=5", "private, ,", "=", ","])
def test_an_answer_that_says_nothing_is_told(text):
    assert read(cache_control=text) is None
    assert read() is None


def test_expires_counts_from_the_answers_own_date():
    assert read(expires=IN_AN_HOUR, date=DATE) == 3600
    assert read(expires=IN_AN_HOUR, date=IN_AN_HOUR) == 0


def test_expires_counts_from_our_clock_without_a_date():
    assert read(expires=IN_AN_HOUR) == 3600


def test_max_age_goes_before_expires():
    assert read(expires=IN_AN_HOUR, cache_control="max-age=5") == 5


@pytest.mark.parametrize("text", ["0", "-1", "", "never", "Fri, 99 Jan 2027 09:00:00 GMT", "9" * 5000, DATE])
def test_an_expires_that_is_past_or_unreadable_is_stale_at_once(text):
    assert read(expires=text) == 0
