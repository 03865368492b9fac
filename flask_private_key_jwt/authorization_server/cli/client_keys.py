"""``flask oauth2 client keys``, ``add-key`` and ``retire-key``: help a client to change from one key to the next."""

from collections.abc import Mapping
from typing import Any, BinaryIO

import click
from flask.cli import with_appcontext

from ... import clock
from ...errors import UnknownClient
from ...jose.jose import JoseProblem, import_public_pem, load_json_object
from ..keys.client_key_state import DAY_SECONDS, MAX_NAME_CHARACTERS, ClientKeyState, find_warnings
from ..keys.remote_documents import DocumentUnavailable
from ..readable_text import escape_unprintable
from ..state import current_state
from .asking import ask_first, yes_option
from .client import tell
from .input import DASH_IS_NO_OPTION, TEXT_FILE, check_kid, give_up, read_certificate, read_text, readable_errors
from .output import json_option, print_json, print_note, show_moment

_EXPECTED = "It must hold public keys: a JWK, a JWK Set, what `keygen` wrote for the registration, or one PEM."


@click.command("keys")
@click.argument("client_id")
@json_option("Print the keys as JSON, times in seconds since the epoch.")
@with_appcontext
def keys(client_id: str, as_json: bool) -> None:
    """Show a client's keys: since when, until when, and when each last signed something, to the hour."""
    states, now = _load_states(client_id), clock.now()
    if as_json:
        print_json([_members(state, now=now) for state in states])
    else:
        click.echo("\n\n".join(_paragraph(state, now=now) for state in states) or "No key that can be used.")
    for warning in find_warnings(states, now=now):
        print_note(f"{warning}.")


@click.command("add-key")
@click.argument("client_id")
@click.argument("file", type=TEXT_FILE, required=False)
@click.option(
    "--certificate", metavar="PATH", help="The key's X.509 certificate (PEM or base64 DER), in place of FILE."
)
@click.option("--kid", help="The name of the certificate's key; default: its SHA-1 thumbprint in hex.")
@json_option("Print the registration as JSON.")
@with_appcontext
def add_key(client_id: str, file: BinaryIO | None, certificate: str | None, kid: str | None, as_json: bool) -> None:
    """Add a client's next key from FILE (- is standard input); the old ones go on working until `retire-key`."""
    if (file is None) == (certificate is None):
        give_up("Give a FILE with the client's next public key, or its --certificate.")
    check_kid(kid, certificate)
    jwks = {"keys": [read_certificate(certificate, kid)]} if certificate else _read_keys(file)
    with readable_errors():
        client = current_state().clients.add_keys(client_id, jwks)
    tell(client, as_json=as_json, done="may sign with the new key, too")


@click.command("retire-key", context_settings=DASH_IS_NO_OPTION)
@click.argument("client_id")
@click.argument("kid")
@yes_option
@json_option("Print the registration as JSON.")
@with_appcontext
def retire_key(client_id: str, kid: str, yes: bool, as_json: bool) -> None:
    """Take the key KID (or its thumbprint) from a client, from its next request on. The last one stays."""
    with readable_errors():
        current_state().clients.get(client_id)
        ask_first(f"Client {client_id} cannot sign with the key {kid[:MAX_NAME_CHARACTERS]} any more. Go on?", yes=yes)
        client = current_state().clients.retire_key(client_id, kid)
    tell(client, as_json=as_json, done=f"no longer has the key {escape_unprintable(kid[:MAX_NAME_CHARACTERS])}")
    if all(state.last_used_at is None for state in _load_states(client_id)):
        print_note("none of its other keys has signed anything yet.")


def _load_states(client_id: str) -> tuple[ClientKeyState, ...]:
    state = current_state()
    with readable_errors():
        client = state.server.clients.find(client_id)  # as a token request does, because a client_id may be a URL
        if client is None:
            raise UnknownClient(f"No client {client_id!r} is registered.")
        try:
            return state.key_use.describe(client)
        except DocumentUnavailable as problem:
            give_up(f"The client's keys cannot be had: {problem.reason}.")


def _read_keys(file: BinaryIO | None) -> Mapping[str, Any]:
    """The JWK Set in *file*, or give up."""
    assert file is not None
    text = read_text(file)
    try:
        if "-----BEGIN" in text:
            public = import_public_pem(text.encode())
            return {"keys": [{**public.jwk, "use": "sig", "kid": public.thumbprint}]}
        members = load_json_object(text, "file")
    except JoseProblem as problem:
        give_up(f"{file.name}: {problem}. {_EXPECTED}")
    registered = members.get("jwks", members)
    return registered if isinstance(registered, Mapping) and "keys" in registered else {"keys": [registered]}


def _members(state: ClientKeyState, *, now: int) -> dict[str, object]:
    public, certificate = state.key.public, state.key.certificate
    return {
        "kid": public.kid,
        "thumbprint": public.thumbprint,
        "kty": public.kty,
        "algs": sorted(public.algs),
        "is_current": state.key.is_current(now=now),
        "added_at": state.added_at,
        "last_signed_at": state.last_used_at,
        "certificate_sha1": certificate.sha1_hex if certificate else None,
        "certificate_not_before": certificate.not_before if certificate else None,
        "certificate_not_after": certificate.not_after if certificate else None,
    }


def _paragraph(state: ClientKeyState, *, now: int) -> str:
    public = state.key.public
    lines = [
        f"{'kid' if public.kid else 'thumbprint':12}{escape_unprintable(state.name)}",
        f"{'algorithms':12}{', '.join(sorted(public.algs))} ({public.kty})",
        f"{'added':12}{'unknown' if state.added_at is None else _ago(state.added_at, now=now)}",
        f"{'last signed':12}{'never' if state.last_used_at is None else _ago(state.last_used_at, now=now)}",
    ]
    if certificate := state.key.certificate:
        begin, end = show_moment(certificate.not_before), show_moment(certificate.not_after)
        remark = "valid" if state.key.is_current(now=now) else "expired" if certificate.not_after < now else "not yet"
        lines.append(f"{'certificate':12}{remark}, from {begin} to {end}, SHA-1 {certificate.sha1_hex}")
    return "\n".join(lines)


def _ago(seconds: int, *, now: int) -> str:
    days, hours = max(now - seconds, 0) // DAY_SECONDS, max(now - seconds, 0) // 3600
    count, unit = (days, "day") if days else (hours, "hour")
    age = f"{count} {unit}{'' if count == 1 else 's'} ago" if count else "less than an hour ago"
    return f"{show_moment(seconds)}, {age}"
