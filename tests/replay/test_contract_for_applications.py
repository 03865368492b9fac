"""What an application can hold its own replay store against: ours pass, and who breaks a promise is told which."""

import pytest

from flask_private_key_jwt.replay.base import Replayed
from flask_private_key_jwt.replay.contract import check_replay_store
from flask_private_key_jwt.replay.memory import MemoryReplayStore


def test_our_stores_keep_every_promise(store, store_url):
    check_replay_store(store, all_or_none=not store_url.startswith("redis+cluster://"))


def test_a_cluster_breaks_one_promise(cluster_url, open_store):
    with pytest.raises(AssertionError, match="a mark is kept although another one was refused with it"):
        check_replay_store(open_store(cluster_url))


class ForgetsAll(MemoryReplayStore):
    def remember(self, marks):
        """Accept everything."""


class RefusesAll(MemoryReplayStore):
    def remember(self, marks):
        if marks:
            raise Replayed(marks[0])


class OneByOne(MemoryReplayStore):
    def remember(self, marks):
        for mark in marks:
            super().remember([mark])


class NamesTheLast(MemoryReplayStore):
    def remember(self, marks):
        super().remember(marks[::-1])


class LooksAtTheJtiOnly(MemoryReplayStore):
    def __init__(self):
        super().__init__()
        self._used = set()

    def remember(self, marks):
        for mark in marks:
            if (mark.owner[:16], mark.jti) in self._used or marks.count(mark) > 1:
                raise Replayed(mark)
        if all(mark.until > START for mark in marks):
            self._used.update((mark.owner[:16], mark.jti) for mark in marks)


START = 1_800_000_000


class ForgetsNothing(MemoryReplayStore):
    def _forget_expired(self):
        return 0


class PurgesAll(MemoryReplayStore):
    def purge(self, **_):
        self._remembered.clear()
        self._by_expiry.clear()
        return 0


class PurgesSilently(MemoryReplayStore):
    def purge(self, **_):
        """Delete, and do not say how many."""


class AnswersTrue(MemoryReplayStore):
    def remember(self, marks):
        super().remember(marks)
        return True


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (ForgetsAll, "a mark counts twice"),
        (RefusesAll, "a new mark is refused"),
        (OneByOne, "a mark is kept although another one was refused with it"),
        (NamesTheLast, "of several used marks it is not the first that is named"),
        (LooksAtTheJtiOnly, "marks that differ are taken for one"),
        (ForgetsNothing, "a mark counts although its time is over"),
        (PurgesAll, "purge\\(\\) deletes a mark that counts still"),
        (PurgesSilently, "purge\\(\\) does not return how many it deleted"),
        (AnswersTrue, "remember\\(\\) of the replay store AnswersTrue returned a bool"),
    ],
)
def test_a_store_that_breaks_a_promise_is_told_which(broken, promise):
    with pytest.raises(AssertionError, match=f"^{promise}"):
        check_replay_store(broken())
