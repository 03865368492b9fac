"""``current_token``: the claims of the verified token of Flask's current request."""

from typing import cast

from werkzeug.local import LocalProxy

from ..jose.jose import Claims
from .admission import find_claims
from .in_flask import current_request


def _find_claims() -> Claims | None:
    return find_claims(current_request().environ)


current_token: Claims = cast(Claims, LocalProxy(_find_claims))
"""The claims of the verified access token, e.g. ``current_token["client_id"]`` (RFC 9068 §2.2).

It is false (``if current_token:``) if there is no token: in a view that is not protected, for an anonymous caller of an
``optional`` view, and outside a request.
"""
