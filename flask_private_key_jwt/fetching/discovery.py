"""Fetch and check a server's metadata (RFC 8414) and its keys (RFC 7517 §5), for the client and for an API."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from ..jose import jose
from ..jose.unset import is_unset, without_unset
from ..settings.values import https_url
from ..web.url import BadURL, read_url
from .exchange import TIMEOUT_SECONDS, FetchedAnswer, NoAnswer, Runner, TooLarge, time_left, way_to_the_reason
from .outbound import USUAL, Outbound
from .steps import Fetch, Steps

log = logging.getLogger("flask_private_key_jwt")

MAX_KEYS = 100
"""How many entries of a JWK Set are read."""

_OAUTH = "/.well-known/oauth-authorization-server"
_OPENID = "/.well-known/openid-configuration"


class DiscoveryError(requests.RequestException):
    """A server's metadata or keys could not be fetched, or must not be used; the message says which and why.

    :param reference: The answer's ``Error-Reference``, if it has one: the id of the reason in the server's log.
    """

    def __init__(self, reason: str, *, reference: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reference = reference


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    """A metadata document, checked to be about the issuer it was fetched for (RFC 8414 §3.3)."""

    issuer: str
    """The server's issuer identifier (RFC 8414 §2)."""
    raw: Mapping[str, Any] = field(repr=False)
    """The whole document, unchanged."""

    @property
    def token_endpoint(self) -> str:
        """The URL of the token endpoint.

        :raises DiscoveryError: As :meth:`endpoint`.
        """
        return self.endpoint("token_endpoint")

    @property
    def jwks_uri(self) -> str:
        """The URL of the server's keys.

        :raises DiscoveryError: As :meth:`endpoint`.
        """
        return self.endpoint("jwks_uri")

    def endpoint(self, name: str) -> str:
        """The URL in the member *name* (RFC 8414 §2).

        :raises DiscoveryError: There is no such member, or it is not an https URL (http on loopback only).
        """
        url = self.raw.get(name)
        if not isinstance(url, str) or is_unset(url):
            raise DiscoveryError(f"The metadata of {self.issuer} names no {name}.")
        if not _is_safe_url(url):
            raise DiscoveryError(f"The metadata of {self.issuer} names a {name} that is not https: {url[:200]!r}.")
        return url


def fetch_metadata(issuer: str, *, timeout: float = TIMEOUT_SECONDS, outbound: Outbound = USUAL) -> ServerMetadata:
    """Fetch and check the metadata of *issuer*, by the steps of :func:`metadata_steps`.

    :param outbound: The proxy and the certificate authorities to use.
    """
    return Runner(outbound).run(metadata_steps(issuer, timeout=timeout))


def metadata_steps(issuer: str, *, timeout: float = TIMEOUT_SECONDS) -> Steps[ServerMetadata]:
    """Fetch and check the metadata of *issuer*: at its RFC 8414 location, or else at that of OpenID Connect.

    Servers say "not here" in many ways (400, 401, 403, 404, a redirect, a page). So after any answer that is not the
    document, the second location is tried, with the same checks.

    :param timeout: Longest wait for both locations together, in seconds.
    :raises DiscoveryError: There is no document, or it is not JSON, too large, or about another issuer (RFC 8414 §3.3).
    """
    try:
        https_url(issuer)
    except ValueError as error:
        raise DiscoveryError(f"The issuer {issuer!r} is not accepted: it {error}.") from None
    deadline = time.monotonic() + timeout
    problems: list[DiscoveryError] = []
    for url in metadata_locations(issuer):
        try:
            answer = yield from _get(url, timeout=time_left(deadline))
            return _read_metadata(answer, issuer, url)
        except _NoDocument as problem:
            problems.append(problem)
    said = "; ".join(problem.reason.rstrip(".") for problem in problems)
    reference = next((problem.reference for problem in problems if problem.reference), None)
    why = way_to_the_reason(reference) if reference else ""
    raise DiscoveryError(f"No metadata of {issuer}: {said}. Is the issuer right?{why}", reference=reference)


def metadata_locations(issuer: str) -> tuple[str, str]:
    """The two URLs where the metadata of *issuer* may be.

    RFC 8414 §3.1 inserts the well-known part before the issuer's path, OpenID Connect Discovery §4.1 appends it.
    """
    url = read_url(issuer)
    origin, path = f"{url.scheme}://{url.authority}", url.path.rstrip("/")
    return f"{origin}{_OAUTH}{path}", f"{origin}{path}{_OPENID}"


def fetch_jwks(uri: str, *, timeout: float = TIMEOUT_SECONDS, outbound: Outbound = USUAL) -> tuple[jose.PublicKey, ...]:
    """Fetch a JWK Set, by the steps of :func:`jwks_steps`.

    :param outbound: The proxy and the certificate authorities to use.
    """
    return Runner(outbound).run(jwks_steps(uri, timeout=timeout))


def jwks_steps(uri: str, *, timeout: float = TIMEOUT_SECONDS) -> Steps[tuple[jose.PublicKey, ...]]:
    """Fetch a JWK Set (RFC 7517 §5) and return its keys in their order, without keys that are not supported.

    :param timeout: Longest wait for the whole answer, in seconds.
    :raises DiscoveryError: There is no JWK Set, or it is not JSON or too large.
    """
    if not _is_safe_url(uri):
        raise DiscoveryError(f"The keys at {uri[:200]!r} are not fetched: the address must be https.")
    answer = yield from _get(uri, timeout=timeout)
    entries = _load_object(answer, uri).get("keys")
    if not isinstance(entries, list):
        raise DiscoveryError(f"{uri} answered with no JWK Set: keys is not a list.")
    keys = []
    for entry in entries[:MAX_KEYS]:
        try:
            keys.append(jose.import_public_jwk(without_unset(entry) if isinstance(entry, Mapping) else entry))
        except jose.JoseProblem as problem:
            log.info("a key at %s is left out: %s", uri, problem)
    return tuple(keys)


def _read_metadata(answer: FetchedAnswer, issuer: str, url: str) -> ServerMetadata:
    document = _load_object(answer, url)
    if document.get("issuer") != issuer:
        # RFC 8414 §3.3, §6.2: a server that poses as another one must not get our assertions or choose the keys.
        raise _NoDocument(
            f"{url} speaks for issuer {str(document.get('issuer'))[:200]!r}, not for {issuer!r}; they must be equal, "
            "character by character."
        )
    return ServerMetadata(issuer, document)


def _load_object(answer: FetchedAnswer, url: str) -> dict[str, Any]:
    if answer.status != 200:
        what = ", a redirect, which is not followed" if 300 <= answer.status < 400 else ""
        reference = answer.reference
        where = f" (reference {reference})" if reference else ""
        raise _NoDocument(f"{url} answered with status {answer.status}{what}{where}.", reference=reference)
    try:
        return jose.load_json_object(answer.body, "answer")
    except jose.JoseProblem as problem:
        raise _NoDocument(f"{url} is not usable: {problem}.") from None


def _is_safe_url(text: str) -> bool:
    try:
        url = read_url(text)
        url.check_protected()
    except BadURL:
        return False
    return url.fragment is None


def _get(url: str, *, timeout: float) -> Steps[FetchedAnswer]:
    try:
        answer: FetchedAnswer = yield Fetch("GET", url, timeout)
    except TooLarge as error:
        raise _NoDocument(str(error)) from None
    except NoAnswer as error:  # no second attempt: the second location is on the same server
        raise DiscoveryError(str(error)) from None
    return answer


class _NoDocument(DiscoveryError):
    """The server answered, but not with the document."""
