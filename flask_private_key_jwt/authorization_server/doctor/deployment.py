"""What the checks look at: the application with its stores, and the server as it is seen from outside."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import flask

from ...fetching.exchange import TIMEOUT_SECONDS, FetchedAnswer, NoAnswer, exchange
from ...fetching.outbound import USUAL, Outbound
from ...fetching.steps import Form
from ...jose import jose
from ...settings.server import ServerSettings
from ..registration.overview import ClientOverview
from ..state import State, current_state
from ..stores.sql.registrations import Registration


class Outside:
    """Asks the server at its own URLs, as a client does. The answer to a GET is remembered.

    :param outbound: The proxy and the certificate authorities to use.
    :param timeout: Longest wait for each answer, in seconds.
    """

    def __init__(self, outbound: Outbound = USUAL, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self.outbound = outbound
        self.timeout = timeout
        self._known: dict[str, FetchedAnswer | NoAnswer] = {}

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> FetchedAnswer:
        """The answer to a GET; no redirect is followed.

        :raises NoAnswer: There was none, within the limits of time and size.
        """
        if url not in self._known:
            try:
                self._known[url] = self.ask("GET", url, headers=headers)
            except NoAnswer as problem:
                self._known[url] = problem
        known = self._known[url]
        if isinstance(known, NoAnswer):
            raise known
        return known

    def ask(
        self, method: str, url: str, *, form: Form | None = None, headers: Mapping[str, str] | None = None
    ) -> FetchedAnswer:
        """The answer to one request, which is sent now.

        :raises NoAnswer: There was none, within the limits of time and size.
        """
        return exchange(method, url, timeout=self.timeout, form=form, headers=headers, outbound=self.outbound)


class StoredClients:
    """The clients that the database has, read once.

    :param state: The app's.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    @cached_property
    def registrations(self) -> list[Registration]:
        """The registrations of all enabled clients, by ``client_id``."""
        return [found for found in self._state.stores.registrations.all() if found.client.enabled]

    @cached_property
    def overviews(self) -> list[ClientOverview]:
        """What is known of the use of all enabled clients, by ``client_id``."""
        return [found for found in self._state.overviews.all() if found.client.enabled]


@dataclass(frozen=True, slots=True)
class Deployment:
    """One app, and the way to the server that runs it. Build it with :func:`open_deployment`."""

    app: flask.Flask
    state: State
    outside: Outside
    clients: StoredClients

    @property
    def settings(self) -> ServerSettings:
        """The settings that this command has read; the server is expected to have the same."""
        return self.state.settings

    @property
    def has_people(self) -> bool:
        """Whether the app has an authorization endpoint."""
        return "people" in self.state.offered()


def open_deployment(outside: Outside) -> Deployment:
    """The deployment of the current app.

    :raises ConfigurationError: The app is no authorization server.
    """
    app: flask.Flask = flask.current_app._get_current_object()  # type: ignore[attr-defined]
    state = current_state()
    return Deployment(app, state, outside, StoredClients(state))


def find_object(answer: FetchedAnswer) -> dict[str, Any] | None:
    """The JSON object in an answer; ``None``: there is none."""
    try:
        return jose.load_json_object(answer.body, "answer")
    except jose.JoseProblem:
        return None


def describe_answer(answer: FetchedAnswer) -> str:
    """What came instead of the expected answer, in a few words; nothing of its text is shown."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()[:40]
    if 300 <= answer.status < 400:
        return f"{answer.status}, a redirect, which clients do not follow"
    if find_object(answer) is not None:
        return f"{answer.status} with JSON"
    return f"{answer.status} with {kind if kind.isprintable() and kind.isascii() and kind else 'no content type'}"
