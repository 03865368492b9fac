"""Events an application may listen to (blinker signals; the sender is the Flask app, without Flask the protector)."""

from blinker import Namespace

__all__ = ["request_refused", "token_issued"]

_signals = Namespace()

request_refused = _signals.signal("request-refused")
"""A request was answered with an error, or a token sent to introspection or revocation is not active.

Sent with ``error`` (the public code), ``cause`` (the private code, which stays the same from release to
release; ``docs/causes.md`` explains each), ``reason`` (the private sentence, which may be reworded),
``reference`` (the id in the ``Error-Reference`` response header), ``endpoint`` and ``client_id``
(``None`` until the client is authenticated). No argument ever contains a token, an assertion, a proof or a key.
"""

token_issued = _signals.signal("token-issued")
"""An access token was issued.

Sent with ``client_id``, ``grant_type``, ``scope``, ``audience``, ``jkt`` (``None`` for a Bearer token)
and ``jti``.
"""
