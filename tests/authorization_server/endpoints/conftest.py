"""Servers that can be away, and what the app issued meanwhile."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from flask_private_key_jwt.signals import token_issued
from tests.servers.line import Line


@pytest.fixture
def lead() -> Iterator[Callable[[str], tuple[str, Line]]]:
    """``lead(url)``: the same server by a way that can be cut, and that way."""
    lines: list[Line] = []

    def lead(url: str) -> tuple[str, Line]:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        lines.append(line := Line(parts.hostname, parts.port))
        return url.replace(f"{parts.hostname}:{parts.port}", f"127.0.0.1:{line.port}"), line

    yield lead
    for line in lines:
        line.cut()


@pytest.fixture
def issued(app: Any) -> Iterator[list[str]]:
    """The client_ids of what the app issued."""
    given: list[str] = []

    def note(sender: object, *, client_id: str, **_: Any) -> None:
        given.append(client_id)

    with token_issued.connected_to(note, sender=app):
        yield given
