"""Clients of an Authlib server: what its table has, in plain text, becomes a client here that has a secret."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ... import clock
from ...errors import InvalidClientMetadata, UnknownClient
from ...jose.unset import without_unset
from ...settings.values import read_moment
from ..client_auth import client_secret_basic, client_secret_jwt
from ..registered_client import MEMBERS, OPERATOR_MEMBERS
from .client_secrets import METHODS
from .registry import ClientRegistry

_NEVER_SERVED = ("password", "implicit")
"""Grant types that no client has here (RFC 9700 §2.1.2, §2.4)."""


class NotTakenOver(Exception):
    """The client cannot be taken over; the message says why, without its secret."""


@dataclass(frozen=True, slots=True)
class AuthlibClient:
    """A row of a table made with Authlib's ``OAuth2ClientMixin``."""

    client_id: str
    client_secret: str | None = field(repr=False)
    client_secret_expires_at: int | None
    """In seconds since the epoch; 0: never (RFC 7591 §3.2.1)."""
    client_metadata: str | None
    """The registration, JSON."""


def take_over(clients: ClientRegistry, found: AuthlibClient, *, until: str | None, dry_run: bool) -> list[str]:
    """Register the client if there is none of its name yet, and give it its secret if it has not got it yet.

    :param until: The client's own date, as in :meth:`.ClientSecretRegistry.give`.
    :param dry_run: Only check; register and give nothing.
    :return: Notes for the operator.
    :raises NotTakenOver: It has no secret, or one that is too short; or the registration is not acceptable here.
    :raises StoreUnavailable: The database did not answer.
    """
    given = _read_metadata(found)
    method = given.get("token_endpoint_auth_method", client_secret_basic.METHOD)  # Authlib's default
    if method not in METHODS or not found.client_secret:
        raise NotTakenOver(f"it authenticates with {str(method)[:40]!r}; register it with its keys, or as public")
    alg = given.get("token_endpoint_auth_signing_alg") if method == client_secret_jwt.METHOD else None
    metadata, notes = _translate(given, method)
    own_date = _earlier(until, found.client_secret_expires_at)
    try:
        is_new = not _is_registered(clients, found.client_id)
        if is_new:
            metadata["client_id"] = found.client_id
            clients.build(metadata)
        clients.secrets.check(found.client_secret, method=method, alg=alg)
        if dry_run:
            return notes
        if is_new:
            clients.add(metadata)
        if clients.secrets.has(found.client_id, found.client_secret, method=method):
            return ["nothing to do"]
        clients.secrets.give(found.client_id, secret=found.client_secret, method=method, alg=alg, until=own_date)
    except InvalidClientMetadata as problem:
        raise NotTakenOver(problem.reason) from None
    if "%" in found.client_secret or "+" in found.client_secret:
        notes.append("its secret holds % or +, which by HTTP Basic must be form-urlencoded")
    return notes


def _read_metadata(found: AuthlibClient) -> dict[str, Any]:
    try:
        given = json.loads(found.client_metadata or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise NotTakenOver("its client_metadata is not a JSON object")
    return without_unset(given)


def _translate(given: Mapping[str, Any], method: str) -> tuple[dict[str, Any], list[str]]:
    """The registration here, and notes about what is different."""
    passed_over = {*OPERATOR_MEMBERS, "jwks", "jwks_uri", "token_endpoint_auth_signing_alg"}
    metadata = {name: value for name, value in given.items() if name in MEMBERS and name not in passed_over}
    metadata["token_endpoint_auth_method"] = method
    notes = []
    grant_types = given.get("grant_types", [])
    if isinstance(grant_types, list):
        metadata["grant_types"] = [name for name in grant_types if name not in _NEVER_SERVED]
        notes += [f"without the grant type {name}" for name in grant_types if name in _NEVER_SERVED]
    if not metadata.get("grant_types"):  # here, no grant type would mean client_credentials
        raise NotTakenOver("it has no grant type that is served here")
    if method == client_secret_jwt.METHOD:
        # Authlib's clients name the token endpoint as the audience, and their assertions live for an hour.
        metadata["assertion_audience"] = "compatibility"
        notes.append("assertion_audience is compatibility")
    return metadata, notes


def _is_registered(clients: ClientRegistry, client_id: str) -> bool:
    try:
        clients.get(client_id)
    except UnknownClient:
        return False
    return True


def _earlier(until: str | None, expires_at: int | None) -> str | None:
    """The date that comes first."""
    if not expires_at:
        return until
    if clock.is_over(expires_at):
        raise NotTakenOver("its secret has expired")
    own = datetime.fromtimestamp(expires_at, UTC).isoformat()
    return own if until is None or read_moment(until) > expires_at else until
