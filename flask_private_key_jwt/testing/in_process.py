"""HTTP requests that do not leave the process: the steps of a client or an API run against an application itself."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from requests.structures import CaseInsensitiveDict
from werkzeug.test import Client

from ..fetching.exchange import FetchedAnswer, NoAnswer, Runner
from ..fetching.steps import Fetch, Shared


class InProcessRunner(Runner):
    """Runs steps; what they fetch is answered by one application, and no packet is sent.

    :param app: The WSGI application of the authorization server.
    :param issuer: Its issuer: the URL where the application is.
    """

    def __init__(self, app: Callable[..., Any], issuer: str) -> None:
        super().__init__()
        self._client = Client(app, use_cookies=False)
        self._issuer = issuer

    def _get(self, need: Fetch | Shared) -> Any:
        if isinstance(need, Shared):
            return super()._get(need)
        path = self._find_path(need.url)
        if path is None:
            raise NoAnswer(f"{need.url} was not asked: in this test only {self._issuer} is there.")
        form = None if need.form is None else urlencode(need.form)
        headers = {"Accept": "application/json", **(need.headers or {})}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        with self._client.open(path, method=need.method, base_url=self._issuer, data=form, headers=headers) as answer:
            read = CaseInsensitiveDict(answer.headers.to_wsgi_list())
            return FetchedAnswer(answer.status_code, read, answer.get_data())

    def _find_path(self, url: str) -> str | None:
        """The path of *url* in the application; ``None`` if it is at another server."""
        asked, issuer = urlsplit(url), urlsplit(self._issuer)
        if (asked.scheme, asked.netloc) != (issuer.scheme, issuer.netloc):
            return None
        mount, path = issuer.path.rstrip("/"), asked.path
        if path.startswith("/.well-known/") and mount and path.endswith(mount):  # RFC 8414 §3.1
            path = mount + path.removesuffix(mount)
        if not path.startswith(mount):
            return None
        return path.removeprefix(mount) + (f"?{asked.query}" if asked.query else "")
