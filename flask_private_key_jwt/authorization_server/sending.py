"""Turns an answer into a Flask response, whose body the WSGI server gets in one piece."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import flask
from werkzeug.datastructures import Headers

from ..signals.refusal import Answer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_LEFT_TO_WERKZEUG = frozenset({"location", "content-location"})
"""Headers that Werkzeug makes absolute or escapes just before it sends them."""


class WholeResponse(flask.Response):
    """A response whose body is complete.

    Werkzeug would give the WSGI server a copy of the headers, and an iterator that has to be closed. A list is cheaper:
    the server sends it at once.
    """

    _ends_later = False

    def call_on_close(self, func: Callable[[], Any]) -> Callable[[], Any]:
        """As in ``werkzeug.wrappers.Response``; the server then gets the iterator, because closing it calls *func*."""
        self._ends_later = True
        return super().call_on_close(func)

    def get_wsgi_response(self, environ: "WSGIEnvironment") -> Any:
        """As in ``werkzeug.wrappers.Response``."""
        body, headers = self.response, self.headers.to_wsgi_list()
        names = {name.lower() for name, _ in headers}
        if (
            type(body) is list
            and all(type(part) is bytes for part in body)
            and not self._ends_later
            and "content-length" in names
            and names.isdisjoint(_LEFT_TO_WERKZEUG)
            and environ["REQUEST_METHOD"] != "HEAD"
            and self.status_code >= 200
            and self.status_code not in (204, 304)
        ):
            return body, self.status, headers
        return super().get_wsgi_response(environ)


def build_response(answer: Answer) -> flask.Response:
    """The Flask response for *answer*."""
    if answer.body is None:
        response = flask.Response("", answer.status, list(answer.headers))
        del response.headers["Content-Type"]  # Flask sets one, though there is no body
        return response
    # Flask's own JSON also sorts members and converts dates, at three times the cost.
    body = json.dumps(dict(answer.body)).encode()
    headers = Headers()
    for name, value in answer.headers:  # one by one: given a list, Werkzeug takes three times as long
        headers.add(name, value)
    headers.add("Content-Length", str(len(body)))
    return WholeResponse([body], answer.status, headers)
