"""Fetch and check a server's metadata (RFC 8414) and its keys (RFC 7517 §5); the client and the API share it."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import requests

from .keys import jose
from .settings import https_url, is_loopback_host

log = logging.getLogger(__name__)

MAX_BYTES = 1 << 20
"""Largest answer that is read, in bytes."""
MAX_KEYS = 100
"""How many entries of a JWK Set are looked at."""
TIMEOUT_SECONDS = 5.0

_OAUTH = "/.well-known/oauth-authorization-server"
_OPENID = "/.well-known/openid-configuration"


class DiscoveryError(requests.RequestException):
    """A server's metadata or keys could not be had or must not be used; the message says which and why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    """A metadata document that is really about the issuer it was fetched for (RFC 8414 §3.3)."""

    issuer: str
    raw: Mapping[str, Any] = field(repr=False)
    """The whole document, as it came."""

    @property
    def token_endpoint(self) -> str:
        """Where tokens are asked for.

        :raises DiscoveryError: As :meth:`endpoint`.
        """
        return self.endpoint("token_endpoint")

    @property
    def jwks_uri(self) -> str:
        """Where the server's keys are.

        :raises DiscoveryError: As :meth:`endpoint`.
        """
        return self.endpoint("jwks_uri")

    def endpoint(self, name: str) -> str:
        """The URL that the member *name* holds (RFC 8414 §2).

        :raises DiscoveryError: The server names none, or one that is not https (http on loopback only).
        """
        url = self.raw.get(name)
        if not isinstance(url, str):
            raise DiscoveryError(f"The metadata of {self.issuer} names no {name}.")
        if not _is_safe_url(url):
            raise DiscoveryError(f"The metadata of {self.issuer} names a {name} that is not https: {url[:200]!r}.")
        return url


def fetch_metadata(issuer: str, *, timeout: float = TIMEOUT_SECONDS, ca_bundle: str | None = None) -> ServerMetadata:
    """Fetch and check the metadata of *issuer*: at its RFC 8414 location, or where that is 404 at OpenID's.

    :param timeout: Longest wait, in seconds, all of it included, the second location too.
    :param ca_bundle: Path of the certificate authorities to trust; default: those of ``requests``.
    :raises DiscoveryError: No document, not JSON, too large, or one about another issuer (RFC 8414 §3.3).
    """
    try:
        https_url(issuer)
    except ValueError as error:
        raise DiscoveryError(f"The issuer {issuer!r} is not accepted: it {error}.") from None
    locations = metadata_locations(issuer)
    deadline = time.monotonic() + timeout
    for url in locations:
        answer = _get(url, timeout=time_left(deadline), ca_bundle=ca_bundle)
        if answer.status != 404:
            return _read_metadata(answer, issuer, url)
    raise DiscoveryError(f"No metadata: {' and '.join(locations)} answered with 404. Is the issuer right?")


def metadata_locations(issuer: str) -> tuple[str, str]:
    """Where the metadata of *issuer* may be: RFC 8414 §3.1 inserts before the path, OpenID Discovery §4.1 appends."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    return f"{origin}{_OAUTH}{path}", f"{origin}{path}{_OPENID}"


def fetch_jwks(
    uri: str, *, timeout: float = TIMEOUT_SECONDS, ca_bundle: str | None = None
) -> tuple[jose.PublicKey, ...]:
    """Fetch a JWK Set (RFC 7517 §5), in its order; entries that are no signature key of ours are left out.

    :param timeout: Longest wait, in seconds, all of it included.
    :param ca_bundle: As for :func:`fetch_metadata`.
    :raises DiscoveryError: No set, not JSON or too large.
    """
    if not _is_safe_url(uri):
        raise DiscoveryError(f"The keys at {uri[:200]!r} are not fetched: the address must be https.")
    entries = _load_object(_get(uri, timeout=timeout, ca_bundle=ca_bundle), uri).get("keys")
    if not isinstance(entries, list):
        raise DiscoveryError(f"{uri} answered with no JWK Set: keys is not a list.")
    keys = []
    for entry in entries[:MAX_KEYS]:
        try:
            keys.append(jose.import_public_jwk(entry))
        except jose.JoseProblem as problem:
            log.info("a key at %s is left out: %s", uri, problem)
    return tuple(keys)


def _read_metadata(answer: "Answer", issuer: str, url: str) -> ServerMetadata:
    document = _load_object(answer, url)
    if document.get("issuer") != issuer:
        # RFC 8414 §3.3, §6.2: whoever answers in another's name must not get our assertions or name our keys.
        raise DiscoveryError(
            f"{url} speaks for issuer {str(document.get('issuer'))[:200]!r}, not for {issuer!r}; they must be equal, "
            "character by character."
        )
    return ServerMetadata(issuer, document)


def _load_object(answer: "Answer", url: str) -> dict[str, Any]:
    if answer.status != 200:
        raise DiscoveryError(f"{url} answered with status {answer.status}.")
    try:
        return jose.load_json_object(answer.body, "answer")
    except jose.JoseProblem as problem:
        raise DiscoveryError(f"{url} is not usable: {problem}.") from None


def _is_safe_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if "#" in url or "@" in parts.netloc or not parts.hostname or any(c <= " " or c > "~" for c in url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback_host(parts.hostname))


def _get(url: str, *, timeout: float, ca_bundle: str | None) -> "Answer":
    try:
        return exchange("GET", url, timeout=timeout, ca_bundle=ca_bundle)
    except NoAnswer as error:
        raise DiscoveryError(str(error)) from None


# --- one bounded HTTP exchange --------------------------------------------------------------------------
class NoAnswer(Exception):
    """There was no HTTP answer of bearable time and size; the message names the URL and holds nothing secret."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    """By name in any case; one that was repeated is joined by ``", "``."""
    body: bytes = field(repr=False)


def exchange(
    method: str,
    url: str,
    *,
    timeout: float,
    form: list[tuple[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
    ca_bundle: str | None = None,
) -> Answer:
    """Send one request, alone: no redirect is followed, no proxy, ``.netrc`` or cookie is used.

    :param timeout: Longest wait, in seconds, for all of it: name lookup, connection and the last byte.
    :param form: The form body of a POST.
    :raises NoAnswer: No connection, no answer in time, or one larger than :data:`MAX_BYTES`.
    """
    outcome: SimpleQueue[Answer | str] = SimpleQueue()

    def send() -> None:
        try:
            outcome.put(_send(method, url, timeout, form, headers, ca_bundle))
        except Exception as error:  # whatever it was: the waiting thread must learn of it, and nothing else may
            outcome.put(_explain(url, timeout, error))

    # A thread, because requests counts its timeout for each read and not at all for the name lookup: a server that
    # answers byte by byte would hold its caller for hours.
    Thread(target=send, name="oauth2-exchange", daemon=True).start()
    try:
        result = outcome.get(timeout=timeout)
    except Empty:
        result = _too_slow(url, timeout)
    if isinstance(result, str):
        raise NoAnswer(result)
    return result


def _send(
    method: str,
    url: str,
    timeout: float,
    form: list[tuple[str, str]] | None,
    headers: Mapping[str, str] | None,
    ca_bundle: str | None,
) -> Answer:
    deadline = time.monotonic() + timeout
    with requests.Session() as session:
        session.trust_env = False  # neither proxies nor .netrc credentials from the environment
        session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})})
        options: dict[str, Any] = {"timeout": timeout, "verify": ca_bundle or True}
        with session.request(method, url, data=form, allow_redirects=False, stream=True, **options) as response:
            body = bytearray()
            for chunk in response.iter_content(1024):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise NoAnswer(f"{url} answered with more than {MAX_BYTES} bytes.")
                if time.monotonic() > deadline:
                    raise requests.Timeout
            return Answer(response.status_code, response.headers, bytes(body))


def _explain(url: str, timeout: float, error: Exception) -> str:
    """One sentence without the error's own text, which may quote the request."""
    if isinstance(error, NoAnswer):
        return str(error)
    if isinstance(error, requests.Timeout):
        return _too_slow(url, timeout)
    if isinstance(error, requests.exceptions.SSLError):
        return f"{url} has a TLS certificate that is not trusted; give ca_bundle if its authority is your own."
    if isinstance(error, requests.ConnectionError):
        return f"{url} cannot be reached: is the server running, and the address right?"
    return f"{url} gave no usable HTTP answer: {type(error).__name__}."


def _too_slow(url: str, timeout: float) -> str:
    return f"{url} did not answer within {round(timeout, 1):g} seconds."


def time_left(deadline: float) -> float:
    """What is left until *deadline* for a request that follows another, in seconds; a tenth at least.

    :param deadline: Of :func:`time.monotonic`.
    """
    return max(deadline - time.monotonic(), 0.1)
