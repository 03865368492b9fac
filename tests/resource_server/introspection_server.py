"""An issuer's introspection endpoint, real HTTP on loopback, made to misbehave at will."""

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response


class IntrospectionServer:
    """Says that every token is active, unless told otherwise."""

    def __init__(self) -> None:
        self.url = ""
        self.questions: list[dict[str, str]] = []
        """The forms that came, in order."""
        self.revoked: set[str] = set()
        self.members: dict[str, Any] = {}
        """What is said of an active token besides that it is."""
        self.answers: list[Response | None] = []
        """To give instead of the usual one, first come, first served; ``None`` is the usual one."""
        self.always: Response | None = None
        """To give instead of the usual one for good."""
        self.gate = threading.Event()
        """Answers wait until it is set."""
        self.gate.set()
        self.asked = threading.Event()
        self.metadata: dict[str, Any] = {}

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        if request.method == "GET":
            endpoint = {"introspection_endpoint": f"{self.url}/introspect"}
            return say({"issuer": self.url, **endpoint, **self.metadata})(environ, start_response)
        return self._answer(dict(request.form))(environ, start_response)

    def _answer(self, form: dict[str, str]) -> Response:
        self.questions.append(form)
        self.asked.set()
        self.gate.wait(60)
        scripted = self.answers.pop(0) if self.answers else self.always
        if scripted is not None:
            return scripted
        return say({"active": False} if form["token"] in self.revoked else {"active": True, **self.members})


def say(members: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(members), status=status, content_type="application/json")


def refuse(error: str, status: int, **members: str) -> Response:
    """An OAuth error."""
    return say({"error": error, **members}, status)


class Served(Protocol):
    """A WSGI app that learns its URL."""

    url: str

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """See PEP 3333."""


S = TypeVar("S", bound=Served)


@contextlib.contextmanager
def serving(app: S) -> Iterator[S]:
    """Serve on a free port of loopback."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    app.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
