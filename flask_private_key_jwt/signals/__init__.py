"""Events an application may listen to (blinker signals; the sender is the Flask app, without Flask the protector).

``docs/events.md`` lists them in one table. What each is sent with are the fields of its class in ``events.py``.
"""

from blinker import Namespace

__all__ = [
    "audit_purged",
    "call_admitted",
    "client_changed",
    "client_keys_changed",
    "client_registered",
    "client_removed",
    "client_secrets_changed",
    "code_issued",
    "consent_given",
    "consent_withdrawn",
    "grant_revoked",
    "registration_token_created",
    "registration_token_revoked",
    "request_pushed",
    "request_refused",
    "signed_out",
    "signing_key_changed",
    "token_introspected",
    "token_issued",
    "token_revoked",
    "tokens_revoked",
]

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

call_admitted = _signals.signal("call-admitted")
"""An API let a call in, or UserInfo did.

Sent with ``endpoint`` (``resource``, or ``userinfo``), ``client_id``, ``subject``, ``scope`` and ``jti`` of the access
token (each ``None`` if the token has none), and ``jkt``: the key that it is bound to (``None`` for a Bearer token).
"""

token_introspected = _signals.signal("token-introspected")
"""A caller was told that a token is active (RFC 7662). That one is not active is a :data:`request_refused`.

Sent with ``client_id`` (the caller), ``jti`` and ``holder``: the client whose token it is.
"""

request_pushed = _signals.signal("request-pushed")
"""A client pushed an authorization request that was accepted (RFC 9126).

Sent with ``client_id`` and ``expires_at``.
"""

code_issued = _signals.signal("code-issued")
"""An authorization code was issued, whether the person was asked or had consented before.

Sent with ``client_id``, ``subject``, ``scope``, ``resources``, ``grant_id`` (all tokens made of the code have it) and
``expires_at``.
"""

consent_given = _signals.signal("consent-given")
"""A person pressed "Allow".

Sent with ``client_id``, ``subject``, ``scope`` and ``resources``: everything that the client has their consent to now.
"""

consent_withdrawn = _signals.signal("consent-withdrawn")
"""Consents were forgotten: the person is asked again.

Sent with ``client_id`` and ``subject`` (one of them is ``None`` if the consents are all of a person's, or all for a
client), and ``by``: ``person`` ("Deny" after "Allow", or the page of connected applications) or ``operator``
(``oauth.revoke``).
"""

signed_out = _signals.signal("signed-out")
"""A person was signed out at the logout endpoint.

Sent with ``subject`` and ``client_id``, the client that asked for it (``None``: the request named none).
"""

client_registered = _signals.signal("client-registered")
"""A client was registered.

Sent with ``client_id`` and ``by``: ``operator``, or ``client`` if it registered itself.
"""

client_changed = _signals.signal("client-changed")
"""The registration of a client was changed.

Sent with ``client_id``, ``by`` (``operator`` or ``client``), ``members`` (the names of what changed, sorted; never the
values) and ``enabled``: whether the client may authenticate now. Besides the members of a registration, ``members`` may
hold ``registered_by`` (the operator vouched for the client, or does so no longer), ``registration_access_token`` (a new
one was made) and ``jwks_not_before`` (keys fetched before are no longer used).
"""

client_keys_changed = _signals.signal("client-keys-changed")
"""Keys of a client were added or removed. A change at a ``jwks_uri`` is noticed when the client next signs.

Sent with ``client_id``, ``added`` and ``removed``: RFC 7638 SHA-256 thumbprints, base64url, sorted.
"""

client_secrets_changed = _signals.signal("client-secrets-changed")
"""The operator gave a client a shared secret, set when secrets of it end, or took one away.

Sent with ``client_id``, ``added``, ``ended`` and ``removed``: the names of secrets (``client secrets`` lists them),
sorted; and ``ends_at``: from when on those in ``ended`` are refused, in seconds since the epoch (``None``: only
``OAUTH2_CLIENT_SECRETS_UNTIL`` ends them). A client that is removed loses its secrets without this event.
"""

client_removed = _signals.signal("client-removed")
"""A client was deleted, and all its tokens are revoked.

Sent with ``client_id`` and ``by``: ``operator``, ``client``, or ``server`` (``flask oauth2 purge`` deleted it because
it was never used).
"""

token_revoked = _signals.signal("token-revoked")
"""One access token was revoked.

Sent with ``jti``, ``client_id`` (``None``: unknown, because the operator named only the ``jti``) and ``by``: ``client``
or ``operator``.
"""

grant_revoked = _signals.signal("grant-revoked")
"""Everything that came of one decision of a person was revoked: code, refresh tokens and access tokens.

Sent with ``grant_id``, ``client_id``, ``subject`` and ``because``: ``client`` (it revoked its token), ``person``
("Deny" after "Allow", or removed on the page of connected applications), ``code_used`` (a code was shown twice),
``refresh_token_reused``, ``client_key_removed`` (under ``atproto``, the client no longer publishes the key that began
the session) or ``operator``. The last is also sent for each grant that ends with :data:`tokens_revoked`; ``client_id``
and ``subject`` are then those that the operator named.
"""

tokens_revoked = _signals.signal("tokens-revoked")
"""Everything that a client holds, or a person granted, up to now, was revoked by the operator; or what a person granted
a client, by that person.

Sent with ``client_id`` and ``subject``; one of them may be ``None``: any.
"""

signing_key_changed = _signals.signal("signing-key-changed")
"""A signing key of this server was made or changed.

Sent with ``kid``, ``alg``, ``change`` and ``signs_from``. The change is ``made``, ``brought_forward`` (it signs
earlier), ``retired``, ``reencrypted`` or ``removed`` (long after it ended). That a key which was announced begins to
sign is no event: ``signs_from`` said so.
"""

registration_token_created = _signals.signal("registration-token-created")
"""A registration token was made, with which clients can register themselves.

Sent with ``token_id`` (the name that lists show, from which nobody can find the token), ``uses``,
``may_choose_client_id`` and ``expires_at``.
"""

registration_token_revoked = _signals.signal("registration-token-revoked")
"""A registration token was deleted before it expired.

Sent with ``token_id``.
"""

audit_purged = _signals.signal("audit-purged")
"""Rows of the audit trail that are older than they are kept are being deleted.

Sent with ``up_to``: the number of the last row that is.
"""
