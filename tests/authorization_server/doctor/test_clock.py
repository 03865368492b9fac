"""The clocks of three machines."""

from email.utils import formatdate

import pytest

from flask_private_key_jwt.fetching.exchange import FetchedAnswer


class Dated:
    """A server whose answers have this date."""

    def __init__(self, date):
        self._date = date

    def get(self, url):
        return FetchedAnswer(200, {} if self._date is None else {"Date": self._date}, b"{}")


def test_clock_of_the_server_that_answers_is_right(look):
    assert look("clock-server").ok


@pytest.mark.parametrize(("ahead", "ok"), [(-60, False), (-11, True), (11, True), (60, False)])
def test_clock_of_the_server_that_answers_is_compared(look, clock, ahead, ok):
    found = look("clock-server", outside=Dated(formatdate(clock.now + ahead, usegmt=True)))

    assert found.ok is ok
    assert ok or f"{ahead:+d} s" in found.why or f"{ahead - 1:+d} s" in found.why


@pytest.mark.parametrize("date", [None, "", "never", "Sun, 99 Nov 2026 99:99:99 GMT", "9" * 4000])
def test_server_without_a_date_says_nothing(look, date):
    assert look("clock-server", outside=Dated(date)).ok is None


def test_sqlite_has_no_clock_of_its_own(look):
    assert look("clock-database").ok is None


class TestPostgres:
    @pytest.fixture
    def database_url(self, postgres_url):
        return postgres_url

    def test_clock_of_the_database_is_compared(self, look, clock):
        assert look("clock-database").ok

        clock.move(60)

        found = look("clock-database")
        assert found.ok is False
        assert "+60 s from the database's" in found.why or "+59 s" in found.why
        assert "NTP" in found.change
