"""Tests a replay store against the contract; for the tests of an application that has its own store."""

import secrets
from collections.abc import Sequence
from threading import Barrier, Thread

from .. import clock
from ..errors import ConfigurationError
from .base import ASSERTION, PROOF, Mark, Replayed, ReplayStore, remember_once

_THREADS = 8


def check_replay_store(store: ReplayStore, *, all_or_none: bool = True) -> None:
    """Use *store* in every way that this package uses a store. It may be in use meanwhile; about forty marks stay in it
    for five minutes.

    :param all_or_none: Whether the store has to record no mark if it refuses one of several. A store that is spread
        over several servers, such as ``redis+cluster://``, cannot; then a refused request may have used some of its
        marks up.
    :raises AssertionError: The store breaks a rule of the contract; the message says which.
    """
    marks = _Marks()
    _remember(store, [])
    _check_that_a_mark_counts_once(store, marks)
    _check_that_several_count_once(store, marks)
    if all_or_none:
        _check_that_it_is_all_or_none(store, marks)
    _check_that_marks_are_kept_apart(store, marks)
    _check_that_ended_marks_are_forgotten(store, marks)
    _check_that_one_thread_wins(store, marks)


def _expect(promise: bool, otherwise: str) -> None:
    if not promise:
        raise AssertionError(otherwise)


class _Marks:
    """Builds marks that nobody else has."""

    def __init__(self) -> None:
        self._owner = secrets.token_hex(8)

    def __call__(
        self,
        jti: str,
        *,
        purpose: str = ASSERTION,
        server: str = "https://as.example",
        owner: str = "",
        ended: bool = False,
    ) -> Mark:
        now = clock.now()
        return Mark(purpose, server, self._owner + owner, jti, now - 1 if ended else now + 300, now)


def _remember(store: ReplayStore, marks: Sequence[Mark]) -> None:
    try:
        remember_once(store, marks)
    except ConfigurationError as error:
        raise AssertionError(str(error)) from None


def _find_replayed(store: ReplayStore, marks: Sequence[Mark]) -> Mark | None:
    try:
        _remember(store, marks)
    except Replayed as error:
        return error.mark
    return None


def _check_that_a_mark_counts_once(store: ReplayStore, marks: _Marks) -> None:
    for jti in ("usual", "", "\x00", "a\x00b", "\ud800", "é" * 256, "'; --", "%s"):
        mark = marks(jti)
        _expect(_find_replayed(store, [mark]) is None, f"a new mark is refused (jti {jti!r})")
        _expect(_find_replayed(store, [mark]) == mark, f"a mark counts twice (jti {jti!r})")


def _check_that_several_count_once(store: ReplayStore, marks: _Marks) -> None:
    spent = marks("spent")
    _remember(store, [spent])
    for both in ([marks("one"), spent], [spent, marks("two")]):
        _expect(_find_replayed(store, both) == spent, "a used mark beside a new one is not the one that is named")
    new = marks("twice")
    _expect(_find_replayed(store, [marks("other"), new, new]) == new, "a mark that is given twice at once is accepted")
    many = [marks(f"many {number}") for number in range(6)]
    _remember(store, many)
    _expect(_find_replayed(store, many[::-1]) == many[-1], "of several used marks it is not the first that is named")


def _check_that_it_is_all_or_none(store: ReplayStore, marks: _Marks) -> None:
    spent, new = marks("spent before"), marks("new")
    _remember(store, [spent])
    for both in ([new, spent], [spent, new]):
        _find_replayed(store, both)
    _find_replayed(store, [marks("other"), new, new])
    _expect(_find_replayed(store, [new]) is None, "a mark is kept although another one was refused with it")
    _expect(_find_replayed(store, [marks("other")]) is None, "a mark is kept although another one was given twice")


def _check_that_marks_are_kept_apart(store: ReplayStore, marks: _Marks) -> None:
    for one, other in (
        (marks("purpose"), marks("purpose", purpose=PROOF)),
        (marks("server"), marks("server", server="https://as.example https://api.example")),
        (marks("bc", owner="a"), marks("c", owner="ab")),
        (marks("case", owner="A"), marks("case", owner="a")),
        (marks("jti"), marks("JTI")),
        (marks("jti\u00e9"), marks("jtie\u0301")),
    ):
        _remember(store, [one])
        _expect(_find_replayed(store, [other]) is None, f"marks that differ are taken for one: {one!r} and {other!r}")


def _check_that_ended_marks_are_forgotten(store: ReplayStore, marks: _Marks) -> None:
    kept = marks("kept")
    _remember(store, [kept, marks("ended", ended=True)])
    _expect(_find_replayed(store, [marks("ended")]) is None, "a mark counts although its time is over")
    _expect(_find_replayed(store, [marks("ended")]) is not None, "a mark that was forgotten counts twice")
    removed = store.purge(batch=10, rest=lambda seconds: None)
    _expect(isinstance(removed, int), "purge() does not return how many it deleted")
    _expect(_find_replayed(store, [kept]) == kept, "purge() deletes a mark that counts still")


def _check_that_one_thread_wins(store: ReplayStore, marks: _Marks) -> None:
    shared, gate, answers = marks("shared"), Barrier(_THREADS), []

    def use(number: int) -> None:
        gate.wait()
        answers.append(_find_replayed(store, [marks(f"thread {number}"), shared]))

    threads = [Thread(target=use, args=(number,)) for number in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _expect(len(answers) == _THREADS, "a thread that uses the store with others at once gets an error")
    _expect(answers.count(None) == 1, f"of {_THREADS} threads that use one mark, {answers.count(None)} are accepted")
