"""One of two processes that use the same marks: ``racer.py STORE OWNER forwards|backwards``.

Each bundle of marks is used by both processes at about the same time, in opposite orders, so that a store
that locks one mark after the other would lock the two processes out.
"""

import sys

from flask_private_key_jwt.replay.base import ASSERTION, Mark, Replayed
from flask_private_key_jwt.replay.loading import load_replay_store

COUNT = 100
MARKS = 20
FAR_FUTURE = 4_000_000_000


def main(url: str, owner: str, order: str) -> None:
    store = load_replay_store(url)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(COUNT):
        marks = [
            Mark(ASSERTION, "server", owner, f"race {number} {part}", FAR_FUTURE, FAR_FUTURE) for part in range(MARKS)
        ]
        try:
            store.remember(marks if order == "forwards" else marks[::-1])
        except Replayed:
            print("replayed")
        else:
            print("used")
    store.close()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(*sys.argv[1:])
