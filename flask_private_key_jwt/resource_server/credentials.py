"""Step 1: the credentials of a request: the ``Authorization`` header and the proof (RFC 6750 §2.1, RFC 9449 §7.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..errors import InvalidRequest, MissingToken
from .call import Call

Scheme = Literal["Bearer", "DPoP"]
_SCHEMES: dict[str, Scheme] = {"bearer": "Bearer", "dpop": "DPoP"}
_TOKEN_IN_QUERY = re.compile(r"(?:^|&)access_token(?:[=&]|$)")


@dataclass(slots=True)
class Credentials:
    """An access token, its scheme, and the proof, if there is one. Nothing is verified yet."""

    scheme: Scheme
    token: str = field(repr=False)
    proof: str | None = field(repr=False)
    """The ``DPoP`` header (RFC 9449 §4.1)."""


def find_scheme(call: Call) -> Scheme | None:
    """The scheme of the ``Authorization`` header, in any case (RFC 9110 §11.1); ``None`` if not Bearer or DPoP."""
    return _SCHEMES.get((call.authorization or "").strip().partition(" ")[0].lower())


def read_credentials(call: Call, *, served: Sequence[Scheme]) -> Credentials:
    """Read the credentials of a request.

    A token in the query or the body is never read (RFC 9700 §4.3.2).

    :param served: The schemes that the view accepts. Bearer is always read; a later step checks whether the token may
        be used so.
    :raises MissingToken: There is no ``Authorization`` header, or it has another scheme.
    :raises InvalidRequest: The header is malformed or repeated, or there is also a token in the query.
    """
    header = call.authorization
    if header is None:
        raise MissingToken("no Authorization header", cause="token_missing")
    _check_single(header, call.query)
    scheme = find_scheme(call)
    if scheme is None:
        raise MissingToken(
            f"the authorization scheme {header.strip().partition(' ')[0][:40]!r} is not known",
            cause="authorization_scheme_unknown",
        )
    if scheme == "DPoP" and scheme not in served:
        raise MissingToken("the DPoP scheme is not served: OAUTH2_REPLAY_STORE is not set", cause="dpop_not_served")
    token = header.strip().partition(" ")[2].strip(" ")
    if not token or " " in token:
        raise InvalidRequest(
            "the Authorization header does not hold exactly one token", cause="authorization_header_malformed"
        )
    return Credentials(scheme, token, call.proof)


def _check_single(header: str, query: str) -> None:
    # Repeated headers are joined by a comma; no token contains one (RFC 6750 §2: one method per request).
    if "," in header:
        mechanisms = [part.strip().partition(" ")[0].lower() for part in header.split(",")]
        if not _SCHEMES.keys().isdisjoint(mechanisms):
            raise InvalidRequest(
                "more than one Authorization header or mechanism", cause="authorization_header_repeated"
            )
    if query and _TOKEN_IN_QUERY.search(query):
        raise InvalidRequest("an access token in the query besides the one in the header", cause="token_in_query")
