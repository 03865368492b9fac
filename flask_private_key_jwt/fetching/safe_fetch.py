"""Fetch a JSON document from a URL that a client chose, safe against server-side request forgery (SSRF).

The host is resolved once, all its addresses are checked, and the connection goes to a checked address, so a name server
that changes its answer in between gains nothing. TLS, ``Host`` and the name in the certificate are those of the URL.
It is one GET on one connection: no redirects, cookies, proxies or ``.netrc``.
"""

import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Lock, Thread
from typing import TYPE_CHECKING, Any

import certifi

from .. import clock
from ..errors import ConfigurationError, FetchBusy
from ..jose import jose
from .fetch_target import FetchPolicy, FetchProblem, FetchRefused, FetchTarget, read_target
from .freshness import fresh_for
from .public_address import is_loopback, why_not_public

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse

log = logging.getLogger("flask_private_key_jwt")

MAX_ADDRESSES = 16
"""Most addresses that a host may have; an ordinary web server has fewer."""

Resolve = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a host, best first; raises ``OSError``."""
Connect = Callable[[str, int, float], socket.socket]
"""Opens a TCP connection to an address and port, within a number of seconds; raises ``OSError``."""


class FetchFailed(FetchProblem):
    """There was no document within the limits of time, size and type."""


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """A fetched JSON object."""

    members: Mapping[str, Any] = field(repr=False)
    text: str = field(repr=False)
    """The same as JSON, for storing it."""
    fresh_for: int | None
    """For how many seconds it may be used, according to its headers; ``None`` if they do not say."""


def resolve_host(host: str, port: int) -> list[str]:
    """The addresses of *host*, in the operating system's order (RFC 6724).

    :raises OSError: There are none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def open_connection(address: str, port: int, timeout: float) -> socket.socket:
    """Connect to an IP address.

    :raises OSError: There was no connection in time.
    """
    return socket.create_connection((address, port), timeout)


class SafeFetcher:
    """Fetches documents under one policy; safe for threads.

    :param resolve: Looks up a host name; called once for each fetch.
    :param connect: Connects to an address that was checked.
    :raises ConfigurationError: The policy's ``ca_bundle`` cannot be read.
    """

    def __init__(
        self, policy: FetchPolicy, *, resolve: Resolve = resolve_host, connect: Connect = open_connection
    ) -> None:
        self._policy = policy
        self._resolve = resolve
        self._connect = connect
        self._slots = BoundedSemaphore(policy.max_concurrent)
        self._tls = _trust(policy.ca_bundle) if policy.ca_bundle else None
        if policy.allow_loopback:
            log.warning("clients' documents are fetched from this machine too, without TLS: for development only")

    def check_url(self, url: str) -> None:
        """Apply the rules that need no name lookup, at registration.

        :raises FetchRefused: The URL would never be fetched.
        """
        self._target(url)

    def fetch(self, url: str) -> FetchedDocument:
        """Get the JSON object at *url*.

        :raises FetchRefused: The URL, or an address of its host, breaks a rule; nothing was sent.
        :raises FetchFailed: There was no document within the limits of time, size and type.
        :raises FetchBusy: Too many other fetches are running, or still wait for a name server; nothing was sent.
        """
        target, deadline = self._target(url), time.monotonic() + self._policy.timeout_seconds
        if target.is_loopback:
            log.warning("fetching %r from this machine, which only development may do", url)
        if not self._slots.acquire(blocking=False):
            raise FetchBusy(f"{self._policy.max_concurrent} other fetches are under way", cause="fetch_busy_hung")
        return self._fetch(target, deadline)

    def _target(self, url: str) -> FetchTarget:
        return read_target(url, self._policy)

    def _fetch(self, target: FetchTarget, deadline: float) -> FetchedDocument:
        """Run the exchange in a separate thread, and abandon it at the deadline. The thread frees the slot.

        A thread, because a timeout limits neither a name lookup nor a server that sends one byte at a time.
        """
        outcome: SimpleQueue[FetchedDocument | FetchProblem] = SimpleQueue()
        wire = _Wire()

        def run() -> None:
            try:
                outcome.put(self._exchange(target, wire, deadline))
            except FetchProblem as problem:
                outcome.put(problem)
            except Exception as error:  # any error must reach the waiting thread
                outcome.put(FetchFailed(f"{type(error).__name__} {str(error)[:200]!r}"))
            finally:
                wire.close()
                self._slots.release()

        try:
            Thread(target=run, name="oauth2-fetch", daemon=True).start()
        except RuntimeError:
            self._slots.release()
            raise FetchFailed("no thread can be started") from None
        try:
            result: FetchedDocument | FetchProblem | None = outcome.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            wire.cut()
            result = None
        # The thread's own wait may end at the deadline too: one sentence, whichever of the two was first.
        if result is None or (isinstance(result, FetchFailed) and time.monotonic() >= deadline):
            result = FetchFailed(f"no answer within {self._policy.timeout_seconds:g} seconds")
        if isinstance(result, FetchProblem):
            raise result
        return result

    def _exchange(self, target: FetchTarget, wire: "_Wire", deadline: float) -> FetchedDocument:
        from urllib3.connection import HTTPConnection  # a megabyte, and many servers never fetch

        addresses = self._checked_addresses(target)
        plain = wire.hold(self._connect_first(addresses, target.port, deadline))
        plain.settimeout(_left(deadline))
        if target.scheme == "https":
            tls = self._tls_context().wrap_socket(plain, server_hostname=target.host, do_handshake_on_connect=False)
            wire.hold(tls)
            tls.do_handshake()
        connection = HTTPConnection(target.host, target.port, timeout=_left(deadline))
        connection.sock = wire.socket
        headers = {
            "Host": target.authority,
            "Accept": "application/json, application/jwk-set+json",
            "Accept-Encoding": "identity",
            "User-Agent": "flask-private-key-jwt",
            "Connection": "close",
        }
        connection.request("GET", target.path, headers=headers, preload_content=False)
        with contextlib.closing(connection.getresponse()) as response:
            return self._read(response)

    def _checked_addresses(self, target: FetchTarget) -> Sequence[str]:
        """Look up the host, once. All its addresses must be allowed, because any of them may be used."""
        addresses = self._resolve(target.host, target.port)
        if not 0 < len(addresses) <= MAX_ADDRESSES:
            raise FetchFailed(f"host {target.host!r} has {len(addresses)} addresses")
        for address in addresses:
            if target.is_loopback:  # only in development; even then "localhost" may resolve to another machine
                why = None if is_loopback(address) else "not of this machine"
            else:
                why = why_not_public(address)
            if why is not None:
                raise FetchRefused(
                    f"host {target.host!r} has address {address}, which is not allowed: {why}", cause="not_public"
                )
        return addresses

    def _connect_first(self, addresses: Sequence[str], port: int, deadline: float) -> socket.socket:
        """Connect to the first address that answers; the time left is shared among the addresses."""
        for number, address in enumerate(addresses):
            with contextlib.suppress(OSError):
                return self._connect(address, port, _left(deadline) / (len(addresses) - number))
        raise FetchFailed(f"port {port} of {', '.join(addresses)} does not answer")

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:  # at first use: reading the authorities takes time, and many servers never fetch
            self._tls = _trust(certifi.where())
        return self._tls

    def _read(self, response: "HTTPResponse") -> FetchedDocument:
        from urllib3.exceptions import HTTPError

        if response.status != 200:
            raise FetchFailed(f"status {response.status}, not 200")
        content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if content_type != "application/json" and not content_type.endswith("+json"):
            raise FetchFailed(f"content type {content_type[:100]!r} is not JSON")
        try:
            # urllib3 decompresses no more than this many bytes.
            body = response.read(self._policy.max_bytes + 1, decode_content=True)
        except HTTPError as error:
            raise FetchFailed(f"the body cannot be read: {type(error).__name__}") from None
        if len(body) > self._policy.max_bytes:
            raise FetchFailed(f"more than {self._policy.max_bytes} bytes")
        try:
            members = jose.load_json_object(body, "document")
        except jose.JoseProblem as problem:
            raise FetchFailed(str(problem)) from None
        return FetchedDocument(members, body.decode("utf-8-sig"), fresh_for(response.headers, now=clock.now()))


def _trust(ca_bundle: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_bundle)  # TLS 1.2 or later; checks names and chains
    except OSError as error:
        raise ConfigurationError(f"{ca_bundle} holds no certificate authorities in PEM: {error}.") from None
    context.set_alpn_protocols(["http/1.1"])
    return context


class _Wire:
    """The socket of one exchange, which the waiting thread may shut."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self._is_cut = False
        self._lock = Lock()

    def hold(self, connected: socket.socket) -> socket.socket:
        """Keep *connected*, instead of the plain socket that it wraps.

        :raises FetchFailed: The waiting thread has called :meth:`cut` already.
        """
        with self._lock:
            self.socket = connected
            if self._is_cut:
                raise FetchFailed("out of time")
            return connected

    def cut(self) -> None:
        """End every wait for the socket now."""
        with self._lock:
            self._is_cut = True
            if self.socket is not None:
                with contextlib.suppress(OSError):
                    # Not SSLSocket.shutdown: after that, the other thread would read without TLS.
                    socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        with self._lock:
            if self.socket is not None:
                self.socket.close()


def _left(deadline: float) -> float:
    """Seconds until *deadline*.

    :raises FetchFailed: The deadline is over.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise FetchFailed("out of time")
    return left
