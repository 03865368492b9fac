"""WSGIProtector: a guard in front of any WSGI application (PEP 3333)."""

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from ..event_loops.run_now import run_now
from ..replay.base import ReplayStore
from ..replay.loading import load_replay_store
from ..signals.refusal import Answer
from .answer_headers import set_headers
from .bare_protector import BareProtector, GivenSettings
from .call import Call, read_environ
from .requirement import DPoPUse, Scopes
from .waiting import InThisThread

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class WSGIProtector(BareProtector):
    """Protects WSGI applications with access tokens; the claims are what :func:`.find_token` finds in ``environ``.

    :param settings: As for :class:`.ASGIProtector`.
    :raises ConfigurationError: A setting is wrong or missing.
    """

    def __init__(self, settings: GivenSettings = None) -> None:
        super().__init__(settings, load_store=load_replay_store, waiting=InThisThread())

    def protect(
        self,
        app: "WSGIApplication",
        scopes: Scopes = None,
        *,
        dpop: DPoPUse = "allowed",
        optional: bool = False,
        online: bool = False,
    ) -> "WSGIApplication":
        """*app*, reached only with an access token. The metadata document is in front of it, for everybody.

        The other arguments are those of :meth:`.ResourceProtector.__call__`.

        :raises ConfigurationError: The arguments make no sense; the message says what to write.
        """
        requirement = self._require(scopes, dpop, optional, online)

        def guarded(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            call = read_environ(environ)
            if (answer := self._answer_openly(call)) is not None:
                return _send(answer, call.method, start_response)
            entry = run_now(self._enter(call, requirement, environ))
            if entry.refusal is not None:
                return _send(entry.refusal, call.method, start_response)
            return app(environ, _adding(entry.headers, start_response) if entry.headers else start_response)

        return guarded

    def describe(self, app: "WSGIApplication") -> "WSGIApplication":
        """*app* with the metadata document in front of it; for an application that protects only parts of itself."""

        def described(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            call = read_environ(environ)
            if (document := run_now(self._answer_document(call))) is not None:
                return _send(document, call.method, start_response)
            return app(environ, start_response)

        return described

    def purge(self) -> int:
        """Delete what the replay store remembers of proofs that expired an hour ago, and return how many; safe at any
        time. Call it daily, unless the store is Redis.

        :raises StoreUnavailable: The store did not answer.
        """
        store = self._guard.stored_replay
        return 0 if store is None else cast(ReplayStore, store).purge()

    def _answer_openly(self, call: Call) -> Answer | None:
        """The answer to what needs no token: a document, or a preflight of a listed origin."""
        return run_now(self._answer_document(call)) or self._answer_preflight(call)


def _send(answer: Answer, method: str, start_response: "StartResponse") -> Iterable[bytes]:
    body = b"" if answer.body is None else json.dumps(answer.body).encode()
    headers = list(answer.headers)
    if answer.body is not None:
        headers.append(("Content-Length", str(len(body))))
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
    return [] if method == "HEAD" else [body]


def _adding(added: Iterable[tuple[str, str]], start_response: "StartResponse") -> "StartResponse":
    """A ``start_response`` that sets further headers."""

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None, /) -> Callable[[bytes], object]:
        arguments = () if exc_info is None else (exc_info,)
        return start_response(status, set_headers(headers, added), *arguments)

    return start
