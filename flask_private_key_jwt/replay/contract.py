"""Tests a replay store against the contract; for the tests of an application that has its own store."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from threading import Barrier, Thread

from .. import clock
from ..errors import ConfigurationError
from .base import ASSERTION, PROOF, Mark, Replayed, ReplayStore, remember_once

_THREADS = 8
ALL_OR_NONE = "all marks or none"
"""The rule that a store which is spread over several servers cannot keep."""


def check_replay_store(store: ReplayStore, *, all_or_none: bool = True) -> None:
    """Use *store* in every way that this package uses a store. It may be in use meanwhile; about forty marks stay in it
    for five minutes.

    :param all_or_none: Whether the store has to record no mark if it refuses one of several. A store that is spread
        over several servers, such as ``redis+cluster://``, cannot; then a refused request may have used some of its
        marks up.
    :raises AssertionError: The store breaks a rule of the contract; the message says which.
    """
    for rule, check in RULES.items():
        if all_or_none or rule != ALL_OR_NONE:
            check(store)


def check_once_only(store: ReplayStore, *, all_or_none: bool = True) -> None:
    """The part of the contract that is about requests: nothing is purged, which may take long in a store in use.

    :param all_or_none: As for :func:`check_replay_store`.
    :raises AssertionError: The store breaks a rule of the contract; the message says which.
    """
    for rule, check in RULES.items():
        if check is not _check_that_ended_marks_are_forgotten and (all_or_none or rule != ALL_OR_NONE):
            check(store)


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


def _check_that_a_mark_counts_once(store: ReplayStore) -> None:
    marks = _Marks()
    for jti in ("usual", "", "\x00", "a\x00b", "\ud800", "é" * 256, "'; --", "%s"):
        mark = marks(jti)
        _expect(_find_replayed(store, [mark]) is None, f"a new mark is refused (jti {jti!r})")
        _expect(_find_replayed(store, [mark]) == mark, f"a mark counts twice (jti {jti!r})")


def _check_that_several_count_once(store: ReplayStore) -> None:
    marks = _Marks()
    spent = marks("spent")
    _remember(store, [spent])
    for both in ([marks("one"), spent], [spent, marks("two")]):
        _expect(_find_replayed(store, both) == spent, "a used mark beside a new one is not the one that is named")
    new = marks("twice")
    _expect(_find_replayed(store, [marks("other"), new, new]) == new, "a mark that is given twice at once is accepted")
    many = [marks(f"many {number}") for number in range(6)]
    _remember(store, many)
    _expect(_find_replayed(store, many[::-1]) == many[-1], "of several used marks it is not the first that is named")


def _check_that_it_is_all_or_none(store: ReplayStore) -> None:
    marks = _Marks()
    spent, new = marks("spent before"), marks("new")
    _remember(store, [spent])
    for both in ([new, spent], [spent, new]):
        _find_replayed(store, both)
    _find_replayed(store, [marks("other"), new, new])
    _expect(_find_replayed(store, [new]) is None, "a mark is kept although another one was refused with it")
    _expect(_find_replayed(store, [marks("other")]) is None, "a mark is kept although another one was given twice")


def _check_that_marks_are_kept_apart(store: ReplayStore) -> None:
    marks = _Marks()
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


def _check_that_ended_marks_are_forgotten(store: ReplayStore) -> None:
    marks = _Marks()
    kept = marks("kept")
    _remember(store, [kept, marks("ended", ended=True)])
    _expect(_find_replayed(store, [marks("ended")]) is None, "a mark counts although its time is over")
    _expect(_find_replayed(store, [marks("ended")]) is not None, "a mark that was forgotten counts twice")
    removed = store.purge(batch=10, rest=lambda seconds: None)
    _expect(isinstance(removed, int), "purge() does not return how many it deleted")
    _expect(_find_replayed(store, [kept]) == kept, "purge() deletes a mark that counts still")


def _check_that_one_thread_wins(store: ReplayStore) -> None:
    marks = _Marks()
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


def _check_that_no_marks_are_none(store: ReplayStore) -> None:
    _remember(store, [])


RULES: Mapping[str, Callable[[ReplayStore], None]] = {
    "no marks are no problem": _check_that_no_marks_are_none,
    "a mark counts once": _check_that_a_mark_counts_once,
    "of several marks each counts once": _check_that_several_count_once,
    ALL_OR_NONE: _check_that_it_is_all_or_none,
    "marks are kept apart": _check_that_marks_are_kept_apart,
    "ended marks are forgotten": _check_that_ended_marks_are_forgotten,
    "of several threads one wins": _check_that_one_thread_wins,
}
"""Each rule of the contract -> the function that checks it; raises ``AssertionError``."""
