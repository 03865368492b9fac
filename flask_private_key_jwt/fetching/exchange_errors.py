"""Explain in one sentence why an HTTP request got no answer, without the library's names for it.

The exceptions' own messages are not used, because they may quote the request.
"""

import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Literal, TypeVar

import requests
import urllib3

from .outbound import name_proxy

E = TypeVar("E", bound=BaseException)

FailureKind = Literal["proxy", "tls", "unknown name", "hung up", "not HTTP", "unreachable", "other"]
"""A kind of error of an HTTP library."""

_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "RECORD_LAYER_FAILURE",
    "HTTP_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
    "UNKNOWN_PROTOCOL",
)
"""OpenSSL's names for an answer that is not TLS; its versions use different ones."""
_EXPIRED, _NOT_YET_VALID, _OTHER_NAME = (10,), (9,), (62, 64)
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)
"""OpenSSL's ``X509_V_ERR_…`` numbers, which do not change, for a missing, self-signed or unknown issuer."""
_TUNNEL = re.compile(r"(?:Tunnel connection failed: |^)(\d{3})\b")
"""A proxy's refusal, in the messages of urllib3 and of httpx."""


def is_timeout(error: Exception) -> bool:
    """Whether *error* is a timeout; for one while reading the body, requests raises ``ConnectionError``."""
    return isinstance(error, requests.Timeout) or find_cause(error, urllib3.exceptions.ReadTimeoutError) is not None


def find_kind(error: Exception, _: str | None = None) -> FailureKind:
    """What kind of error *error* of ``requests`` is."""
    if isinstance(error, requests.exceptions.ProxyError):
        return "proxy"
    if isinstance(error, requests.exceptions.SSLError):
        return "tls"
    if find_cause(error, urllib3.exceptions.NameResolutionError):
        return "unknown name"
    if find_cause(error, http.client.RemoteDisconnected):
        return "hung up"
    if find_cause(error, http.client.BadStatusLine) or find_cause(error, http.client.LineTooLong):
        return "not HTTP"
    return "unreachable" if isinstance(error, requests.ConnectionError) else "other"


def explain(url: str, error: Exception, kind: FailureKind, *, proxy: str | None) -> str:
    """Why there was no answer from *url*.

    :param proxy: The URL of the proxy, if one was used.
    """
    if kind == "proxy":
        return f"{url} cannot be reached through the proxy {name_proxy(proxy or '')}: {_explain_proxy(error)}."
    way = f" through the proxy {name_proxy(proxy)}" if proxy else ""
    if kind == "tls":
        return f"{url} {_explain_tls(error)}{way}."
    if kind == "unknown name" or find_cause(error, socket.gaierror):
        return f"{url} cannot be reached{way}: its host name is not known here."
    if kind == "hung up" or find_cause(error, ConnectionResetError):
        return f"{url} hung up without an answer{way}."
    if kind == "not HTTP":
        speaks = "https" if url.startswith("http:") else "something else"
        return f"{url} does not answer in HTTP{way}: does it speak {speaks}?"
    if kind == "unreachable":
        return f"{url} cannot be reached{way}: is the server running, and the address right?"
    return f"{url} gave no usable HTTP answer{way}: {type(error).__name__}."


def _explain_proxy(error: Exception) -> str:
    for cause in _chain(error):
        if found := _TUNNEL.search(str(cause)):
            status = found[1]
            hint = ", so it wants a user name and password, or others" if status == "407" else ""
            return f"it refuses with status {status}{hint}"
    if certificate := find_cause(error, ssl.SSLCertVerificationError):
        return f"it {_explain_certificate(certificate)}"
    if "only use HTTP and not HTTPS" in str(error):
        return "it speaks plain http, so its own URL must begin with http"
    return "it does not answer"


def _explain_tls(error: Exception) -> str:
    if certificate := find_cause(error, ssl.SSLCertVerificationError):
        return _explain_certificate(certificate)
    cause = find_cause(error, ssl.SSLError)
    reason = (cause.reason if cause else None) or ""
    if reason in _NOT_TLS:
        return "does not speak TLS: it may be a plain http server, or the port wrong"
    if isinstance(cause, ssl.SSLEOFError) or reason == "UNEXPECTED_EOF_WHILE_READING":
        return "broke off the TLS handshake"
    return f"and this machine agree on no TLS connection ({reason or 'no reason given'})"


def _explain_certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _OTHER_NAME:
        return "has a TLS certificate for another name"
    if error.verify_code in _EXPIRED:
        return "has a TLS certificate that has expired"
    if error.verify_code in _NOT_YET_VALID:
        return "has a TLS certificate that is not valid yet, by this machine's clock"
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return (
            "has a TLS certificate of an authority that is not trusted here: if that is one of your own, give it as "
            "ca_bundle (OAUTH2_CA_BUNDLE in an API)"
        )
    return f"has a TLS certificate that is not accepted ({error.verify_message})"


def find_cause(error: BaseException, kind: type[E]) -> E | None:
    """The first exception of *kind* in the chain of *error*."""
    return next((cause for cause in _chain(error) if isinstance(cause, kind)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """*error* and the exceptions that caused it; requests and urllib3 pass the inner exception as an argument."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = (*current.args, getattr(current, "reason", None), current.__cause__, current.__context__)
        waiting += [item for item in inner if isinstance(item, BaseException)]
