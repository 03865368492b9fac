"""Step 1: what was asked. A frozen value; parameters from the body only, each once (RFC 6749 §3.2)."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from io import BytesIO
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from ..errors import InvalidRequest, OAuthError, PayloadTooLarge

FORM_TYPE = "application/x-www-form-urlencoded"
MAX_PARAMETERS = 64
MAX_LENGTH_DIGITS = 10
REPEATABLE = ("resource",)
"""RFC 8707 §2 lets ``resource`` repeat; nothing else may."""


# No tuple, although that is made faster: a log in JSON or a report of an error would show its parts.
@dataclass(frozen=True, slots=True)
class FormRequest:
    """One form post to a machine endpoint, as far as the protocol needs it."""

    endpoint: str
    """Which endpoint: ``token``, ``par``, ``introspect``, ``revoke``."""
    url: str
    """The endpoint's URL by configuration, never from ``Host``; a proof's ``htu`` and some clients' ``aud`` name it."""
    form: Mapping[str, str] = field(repr=False)
    """Every parameter sent, empty ones too, without ``resource``; read it through :meth:`get`."""
    resources: tuple[str, ...] = ()
    """The values of ``resource``, in order (RFC 8707 §2)."""
    proof: str | None = field(default=None, repr=False)
    """The ``DPoP`` header (RFC 9449 §4.1)."""
    authorization: str | None = field(default=None, repr=False)
    """The ``Authorization`` header; it may hold a secret."""
    method: str = "POST"
    """The HTTP method."""
    remote_addr: str | None = None
    """The caller's address, from the WSGI server; behind a proxy, ``ProxyFix`` corrects it."""

    @property
    def has_authorization(self) -> bool:
        """Whether an ``Authorization`` header was sent."""
        return self.authorization is not None

    def get(self, name: str) -> str | None:
        """The value of a parameter; ``None`` when it was not sent or sent empty (RFC 6749 §3.2)."""
        return self.form.get(name) or None


def parse_form(body: bytes, content_type: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Parse a form body strictly.

    :param body: The request body.
    :param content_type: The ``Content-Type`` header.
    :return: The parameters without ``resource``, and the values of ``resource``.
    :raises InvalidRequest: Wrong content type, malformed, too many parameters, or one of them twice.
    """
    if content_type.partition(";")[0].strip().lower() != FORM_TYPE:
        raise InvalidRequest(f"content type {content_type[:80]!r} is not {FORM_TYPE}", cause="content_type")
    form: dict[str, str] = {}
    resources: list[str] = []
    try:
        pairs = body.decode("ascii").split("&")
        if len(pairs) > MAX_PARAMETERS:
            raise ValueError
        for pair in pairs:
            if not pair:
                continue
            name, _, value = pair.partition("=")
            if "%" in pair or "+" in pair:  # usually only client_assertion_type has to be decoded
                name, value = form_decode(name), form_decode(value)
            if name in REPEATABLE:
                if value:
                    resources.append(value)
            elif name in form:
                raise InvalidRequest(f"parameter {name[:80]!r} is sent more than once", cause="parameter_repeated")
            else:
                form[name] = value
    except ValueError as error:  # not ASCII, not UTF-8 once decoded, or too many parameters
        raise InvalidRequest(f"the form cannot be parsed: {type(error).__name__}", cause="form_malformed") from None
    return form, tuple(resources)


def form_decode(text: str) -> str:
    """Decode a name or a value of a form (RFC 6749 Appendix B).

    :raises UnicodeDecodeError: It is not UTF-8.
    """
    # The usual escapes first: unquote_to_bytes() takes ten times as long for an identifier such as urn%3Aietf%3A…
    # Neither ":" nor "/" is a hexadecimal digit, so this completes no other escape.
    text = text.replace("+", " ").replace("%3A", ":").replace("%2F", "/")
    return text if "%" not in text and text.isascii() else unquote_to_bytes(text).decode()


class HTTPRequest(Protocol):
    """The part of a Werkzeug request that :func:`read_form` reads. With it, this module imports no framework."""

    max_content_length: int | None

    @property
    def method(self) -> str:
        """The HTTP method."""

    @property
    def environ(self) -> MutableMapping[str, Any]:
        """The WSGI environment (PEP 3333)."""

    def get_data(self) -> bytes:
        """The whole body."""


def read_form(http: HTTPRequest, *, endpoint: str, url: str, max_bytes: int) -> FormRequest:
    """Read one form post; the query string is never looked at (RFC 6749 §2.3.1).

    :param url: The endpoint's URL by configuration.
    :param max_bytes: Longest accepted body.
    :raises InvalidRequest: As :func:`parse_form`, or the body cannot be read.
    :raises PayloadTooLarge: The body is longer.
    """
    environ = http.environ
    form, resources = parse_form(read_body(http, max_bytes), environ.get("CONTENT_TYPE", ""))
    return FormRequest(
        endpoint=endpoint,
        url=url,
        form=MappingProxyType(form),
        resources=resources,
        proof=environ.get("HTTP_DPOP"),
        authorization=environ.get("HTTP_AUTHORIZATION"),
        method=http.method,
        remote_addr=environ.get("REMOTE_ADDR") or None,
    )


def read_body(http: HTTPRequest, max_bytes: int) -> bytes:
    """The whole body of a request.

    :param max_bytes: Longest accepted body.
    :raises InvalidRequest: It cannot be read.
    :raises PayloadTooLarge: It is longer.
    """
    # One byte more than we accept, because Werkzeug silently truncates a chunked body at its limit.
    http.max_content_length = max_bytes + 1
    try:
        body = _read_known_length(http, max_bytes)
        if body is None:
            body = http.get_data()
    except OAuthError:
        raise
    except Exception as error:  # a malformed chunk, a lost connection: each WSGI server raises its own types
        if getattr(error, "code", None) == PayloadTooLarge.status:
            raise PayloadTooLarge(f"the body is longer than {max_bytes} bytes", cause="body_too_large") from None
        raise InvalidRequest(f"the body cannot be read: {type(error).__name__}", cause="body_unreadable") from None
    if len(body) > max_bytes:
        raise PayloadTooLarge(f"the body is longer than {max_bytes} bytes", cause="body_too_large")
    return body


def _read_known_length(http: HTTPRequest, max_bytes: int) -> bytes | None:
    """Read a body of known length straight from the WSGI server; ``None``: Werkzeug has to read it.

    Werkzeug would use two more streams and a buffer of 64 kB. The body is put back as a stream, so that code which
    reads the request later still finds it.
    """
    environ = http.environ
    length = environ.get("CONTENT_LENGTH", "")
    if not length.isdecimal() or len(length) > MAX_LENGTH_DIGITS or "HTTP_TRANSFER_ENCODING" in environ:
        return None
    if "stream" in vars(http):  # somebody has begun to read it
        return None
    wanted = int(length)
    if wanted > max_bytes:
        raise PayloadTooLarge(f"the body is longer than {max_bytes} bytes", cause="body_too_large")
    stream = environ["wsgi.input"]
    body: bytes = stream.read(wanted)
    while len(body) < wanted:
        if not (more := stream.read(wanted - len(body))):
            raise InvalidRequest("the body cannot be read: it ends early", cause="body_incomplete")
        body += more
    environ["wsgi.input"] = BytesIO(body)
    return body
