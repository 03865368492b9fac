"""Parse a compact JWS, strictly and before any cryptography (RFC 7515 §7.1, RFC 7519 §7.2).

Size, alphabet, nesting depth, duplicate members and the JSON syntax of numbers are checked here, for every JWT that
this package reads.
"""

import binascii
import codecs
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from ..errors import OAuthError
from .plain_text import is_utf16

Claims = Mapping[str, Any]
R = TypeVar("R", bound=OAuthError)

MAX_DEPTH = 16
LARGEST_DATE = 2**53
"""Largest accepted NumericDate, in seconds since the epoch: a float represents larger integers inexactly."""

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_FROM_URLSAFE = bytes.maketrans(b"-_", b"+/")
_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")
_JSON_BLANKS = " \t\n\r"


encode_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode
"""Compact JSON, as it stands in a JWT."""


class JoseProblem(ValueError):
    """A JWT or key is unusable; the message is a private reason that quotes foreign text with ``!r``.

    :param cause: The code of the reason, such as ``expired``.
    :param details: See :attr:`.errors.OAuthError.details`.
    """

    def __init__(self, reason: str, *, cause: str = "malformed", details: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.cause = cause
        self.details = details

    def as_refusal(self, refusal: type[R], kind: str, *, client_id: str | None = None) -> R:
        """The refusal of a request that contains this JWT.

        :param kind: The kind of JWT, for the reason and its cause: ``request object`` makes ``request_object_expired``.
        """
        error = refusal(f"{kind}: {self}", cause=f"{kind.replace(' ', '_')}_{self.cause}", client_id=client_id)
        error.details = self.details
        return error


class JWT(NamedTuple):
    """A parsed compact JWS whose signature is **not** verified yet (RFC 7515 §7.1)."""

    header: Claims
    claims: Claims
    signing_input: bytes
    signature: bytes

    @property
    def alg(self) -> str:
        """The ``alg`` header parameter; it is a string."""
        return self.header["alg"]  # type: ignore[no-any-return]

    @property
    def kid(self) -> str | None:
        """The ``kid`` header parameter; a string if present."""
        return self.header.get("kid")

    @property
    def typ(self) -> str | None:
        """The media type of ``typ``, lower case, without ``application/`` (RFC 7515 §4.1.9)."""
        typ: str | None = self.header.get("typ")
        return typ if typ is None else typ.lower().removeprefix("application/")


def parse(token: str, *, max_bytes: int, known_header: Claims | None = None) -> JWT:
    """Parse a compact JWS. Its signature is not verified.

    :param max_bytes: Longest accepted token, in bytes.
    :param known_header: The parsed header, if the caller has parsed the same first part before.
    :raises JoseProblem: It is not a single, well-formed compact JWS with a JSON object as payload.
    """
    if len(token) > max_bytes:
        details = {"expected": f"at most {max_bytes} bytes", "received": f"{len(token)} bytes"}
        raise JoseProblem(f"longer than {max_bytes} bytes", cause="too_long", details=details)
    data = token.encode("ascii", "replace")
    # Without the base64url alphabet only the dots remain; this is faster than a regular expression.
    if data.translate(None, _ALPHABET) != b"..":
        raise JoseProblem("not a compact JWS of three base64url parts")
    head, payload, signature = data.split(b".")
    if not head or not payload or not signature:
        raise JoseProblem("not a compact JWS of three base64url parts")
    header = _decode_header(head) if known_header is None else known_header
    claims = _load_object(_unb64(payload, "payload"), "payload")
    return JWT(header, claims, data[: -1 - len(signature)], _unb64(signature, "signature"))


def read(
    text: str,
    *,
    typ: Collection[str | None],
    algs: Collection[str],
    max_bytes: int,
    known_header: Claims | None = None,
) -> JWT:
    """Parse a JWT of one kind. Its signature is not verified.

    :param typ: The accepted media types, lower case, without ``application/``; with ``None`` among them, ``typ`` may be
        absent. So a JWT of one type is never accepted as another kind (RFC 8725 §3.11).
    :param algs: The accepted algorithms (RFC 8725 §3.1).
    :param max_bytes: Longest accepted JWT, in bytes.
    :param known_header: As in :func:`parse`.
    :raises JoseProblem: As :func:`parse`, or its ``typ`` or ``alg`` is not accepted.
    """
    jwt = parse(text, max_bytes=max_bytes, known_header=known_header)
    if jwt.typ not in typ:
        raise JoseProblem(
            f"typ {repr(jwt.typ)[:200]} is not {' or '.join(sorted(name or 'absent' for name in typ))}",
            cause="typ",
            details={"expected": sorted(name or "absent" for name in typ), "received": jwt.typ},
        )
    if jwt.alg not in algs:
        raise JoseProblem(
            f"alg {repr(jwt.alg)[:200]} is not accepted",
            cause="alg",
            details={"expected": list(algs), "received": jwt.alg},
        )
    return jwt


def check_header(header: Claims) -> None:
    """Check the JOSE header: strings where they belong, no ``crit``, no ``b64`` (RFC 7515 §4.1, RFC 7797 §6).

    :raises JoseProblem: A header parameter is missing or of the wrong type, or is critical and not supported.
    """
    if not isinstance(header.get("alg"), str):
        raise JoseProblem("header has no alg, or it is not text", cause="alg_missing")
    for name in ("kid", "typ", "cty", "x5t", "x5t#S256"):
        if name in header and not isinstance(header[name], str):
            raise JoseProblem(f"header parameter {name} is not text", cause=f"{name}_not_text")
    if "crit" in header or "b64" in header:
        raise JoseProblem("header has crit or b64, of which nothing is supported", cause="crit")


def read_date(claims: Claims, name: str) -> float | None:
    """A NumericDate, in seconds since the epoch (RFC 7519 §2); ``None`` if the claim is absent.

    :raises JoseProblem: It is not a number, or beyond :data:`LARGEST_DATE`.
    """
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -LARGEST_DATE < value < LARGEST_DATE:
        raise JoseProblem(f"{name} is not a number", cause=f"{name}_not_number")
    return value


def decode_unverified(token: str) -> tuple[Claims, Claims]:
    """Header and payload of a JWT, for display only.

    :raises JoseProblem: As :func:`parse`.
    """
    jwt = parse(token, max_bytes=1 << 20)
    return jwt.header, jwt.claims


def _decode_header(segment: bytes) -> Claims:
    header = _load_object(_unb64(segment, "header"), "header")
    check_header(header)
    return header


def load_json_object(text: str | bytes, what: str) -> dict[str, Any]:
    """Parse JSON that must be an object, as strictly as a JWT's parts; a byte order mark is ignored (RFC 8259 §8.1).

    :raises JoseProblem: It is not JSON, not an object, too deeply nested, or repeats a member.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if is_utf16(data):
        raise JoseProblem(f"the {what} is UTF-16 text; save it as UTF-8", cause="utf16")
    return _load_object(data.removeprefix(codecs.BOM_UTF8), what)


def b64(data: bytes) -> bytes:
    """base64url without padding, as bytes."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URLSAFE).rstrip(b"=")


def b64url(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return b64(data).decode()


def decode_base64url(text: str, what: str) -> bytes:
    """Decode base64url without padding (RFC 7515 §2), strictly.

    :param what: Its name in the reason.
    :raises JoseProblem: It is something else, or empty.
    """
    data = text.encode("ascii", "replace")
    if not data or data.translate(None, _ALPHABET):
        raise JoseProblem(f"the {what} is not base64url", cause="not_base64")
    return _unb64(data, what)


def _unb64(data: bytes, what: str) -> bytes:
    """Decode base64url.

    :param data: Not empty, and only of the base64url alphabet, because the decoder ignores all other characters.
    :param what: Its name in the reason.
    """
    try:
        return binascii.a2b_base64(data.translate(_FROM_URLSAFE) + b"=" * (-len(data) % 4))
    except binascii.Error:
        raise JoseProblem(f"the {what} is not base64url", cause="not_base64") from None


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JoseProblem("a JSON member stands twice", cause="member_repeated")
    return members


def _no_constant(name: str) -> None:
    raise JoseProblem(f"{name} is not JSON", cause="not_json")


_decoder = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)


def _decode_json(text: str) -> Any:
    """The one JSON value in *text*, without blanks around it. Faster than ``decode``, which looks for blanks twice."""
    value, end = _decoder.raw_decode(text)
    if end != len(text):
        raise ValueError("something follows the value")
    return value


def _load_object(data: bytes, what: str) -> dict[str, Any]:
    # The number of opening brackets is a cheap upper bound of the depth; the depth is only computed if it is exceeded.
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _depth(data) > MAX_DEPTH:
        raise JoseProblem(f"the {what} is nested deeper than {MAX_DEPTH}", cause="too_deep")
    try:
        value = _decode_json(data.decode("utf-8").strip(_JSON_BLANKS))
    except JoseProblem as error:
        raise JoseProblem(f"the {what} is not acceptable: {error}", cause=error.cause) from None
    except (ValueError, RecursionError):
        raise JoseProblem(f"the {what} is not JSON", cause="not_json") from None
    if not isinstance(value, dict):
        raise JoseProblem(f"the {what} is not a JSON object", cause="not_object")
    return value


def _depth(data: bytes) -> int:
    depth = deepest = 0
    in_text = escaped = False
    for byte in data:
        if escaped:
            escaped = False
        elif in_text:
            escaped = byte == 0x5C
            in_text = byte != 0x22
        elif byte == 0x22:
            in_text = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest
