"""What this process sent last and what came back, each message decoded."""

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from time import strftime
from typing import Any
from urllib.parse import parse_qsl

import flask
import requests
from authlib.integrations.flask_client import FlaskOAuth2App
from authlib.integrations.requests_client import OAuth2Session

from ..console_client.caller import Exchange
from ..console_client.jwt import decode_unverified
from ..console_client.outcomes import Outcome
from ..console_client.show import SECRETS, is_jwt, shorten

MOST = 40
"""How many requests are kept."""
SHOWN_HEADERS = ("Authorization", "DPoP", "DPoP-Nonce", "WWW-Authenticate", "Error-Reference")
EXTENSION = "demo_last_requests"


@dataclass(frozen=True, slots=True)
class Part:
    """A value of a message, short; of a JWT what stands in it, too."""

    name: str
    value: str
    decoded: str | None = None
    """Header and claims, as JSON."""


@dataclass(frozen=True, slots=True)
class Row:
    """One request for the page."""

    at: str
    """Hours, minutes and seconds of this machine's clock."""
    what: str
    exchange: Exchange
    went_as_it_must: bool
    sent: tuple[Part, ...]
    received: tuple[Part, ...]


class LastRequests:
    """The newest requests of this process, the newest first. Safe for threads."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque(maxlen=MOST)
        self._lock = Lock()

    def note(self, outcome: Outcome) -> None:
        """Keep a request."""
        exchange = outcome.exchange
        sent = (*read_headers(exchange.headers), *(build_part(name, value) for name, value in exchange.form.items()))
        received = (*read_headers(exchange.answer_headers), *read_body(exchange.body))
        row = Row(strftime("%H:%M:%S"), outcome.what, exchange, outcome.went_as_it_must, sent, received)
        with self._lock:
            self._rows.appendleft(row)

    def __iter__(self) -> Iterator[Row]:
        with self._lock:
            return iter(list(self._rows))


def kept() -> LastRequests:
    """The current app's."""
    found: LastRequests = flask.current_app.extensions[EXTENSION]
    return found


# --- what this application sends itself -----------------------------------------------------------------
class NotingSession(OAuth2Session):  # type: ignore[misc]
    """Authlib's session, whose requests with a token or an assertion are kept for the page."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self.hooks["response"].append(_note_answer)


class NotingApp(FlaskOAuth2App):  # type: ignore[misc]
    """Authlib's client, with that session."""

    client_cls = NotingSession


def _note_answer(answer: requests.Response, *_: object, **__: object) -> None:
    sent = answer.request
    form = dict(parse_qsl(sent.body.decode() if isinstance(sent.body, bytes) else str(sent.body or "")))
    if not form and "Authorization" not in sent.headers:
        return  # metadata and keys
    try:
        body = answer.json()
    except ValueError:
        body = None
    headers = {name: str(value) for name, value in sent.headers.items()}
    exchange = Exchange(str(sent.method), str(sent.url), headers, form, answer.status_code, answer.headers, body)
    kept().note(Outcome("This web application, for the person who signed in", exchange))


# --- decoding -------------------------------------------------------------------------------------------
def read_headers(headers: Mapping[str, str]) -> list[Part]:
    """The headers that matter here."""
    return [build_part(f"{name}:", headers[name]) for name in SHOWN_HEADERS if name in headers]


def read_body(body: Any) -> list[Part]:
    """The members of a JSON object, or the JSON."""
    if isinstance(body, dict):
        return [build_part(name, value) for name, value in body.items()]
    return [] if body is None else [Part("body", json.dumps(body))]


def build_part(name: str, value: Any) -> Part:
    """A value, short, and decoded where it is a JWT."""
    text = value if isinstance(value, str) else json.dumps(value)
    scheme, _, token = text.rpartition(" ")
    if is_jwt(token):
        try:
            header, claims = decode_unverified(token)
        except ValueError:  # it only looks like one
            return Part(name, shorten(text))
        decoded = f"{json.dumps(header, indent=2)}\n{json.dumps(claims, indent=2)}"
        return Part(name, f"{scheme} {shorten(token)}".lstrip(), decoded)
    return Part(name, shorten(text) if name in SECRETS else text)
