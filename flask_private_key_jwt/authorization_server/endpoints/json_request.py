"""A request with a JSON body and a Bearer token: how clients register and manage themselves."""

import re
from collections.abc import Mapping
from typing import Any

from ...database.deadline import outside_budget
from ...errors import InvalidClientMetadata, InvalidRegistrationToken, InvalidRequest
from ...jose import jose
from ..request import HTTPRequest, read_body

JSON_TYPE = "application/json"
MERGE_PATCH_TYPE = "application/merge-patch+json"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


def read_bearer(environ: Mapping[str, Any]) -> str | None:
    """The token of the ``Authorization`` header; never one from the query or the body (RFC 6750 §2.1, RFC 7592 §2).

    :param environ: The WSGI environment.
    :return: ``None`` if the header is absent or has another scheme.
    :raises InvalidRegistrationToken: It does not hold exactly one token.
    """
    header: str = environ.get("HTTP_AUTHORIZATION", "")
    scheme, _, token = header.strip().partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer":
        return None
    if not _TOKEN.fullmatch(token):
        raise InvalidRegistrationToken(
            "the Authorization header does not hold exactly one token", cause="authorization_header_malformed"
        )
    return token


def read_metadata(http: HTTPRequest, *, types: tuple[str, ...], max_bytes: int) -> dict[str, Any]:
    """The JSON object in the body of a request (RFC 7591 §3.1).

    :param types: The content types it may have.
    :param max_bytes: Longest accepted body.
    :raises InvalidRequest: The request has another content type, or the body cannot be read.
    :raises PayloadTooLarge: The body is longer.
    :raises InvalidClientMetadata: The body is not a JSON object.
    """
    content_type = http.environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if content_type not in types:
        raise InvalidRequest(f"content type {content_type[:80]!r} is not {' or '.join(types)}", cause="content_type")
    with (
        outside_budget()
    ):  # the token was looked up: a slow body must not leave the stores a moment too short to answer
        body = read_body(http, max_bytes)
    try:
        return jose.load_json_object(body, "body")
    except jose.JoseProblem as problem:
        raise InvalidClientMetadata(str(problem), cause=f"body_{problem.cause}") from None
