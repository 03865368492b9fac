"""``flask oauth2 client secret …`` and ``client secrets``: shared secrets, for clients that are moving to keys."""

from dataclasses import asdict
from typing import BinaryIO

import click
from flask.cli import AppGroup, with_appcontext

from ..readable_text import escape_unprintable
from ..registered_client import RegisteredClient
from ..registration.client_secrets import METHODS, ClientSecret, GivenSecret
from ..state import State, current_state
from .asking import ask_first, yes_option
from .input import DASH_IS_NO_OPTION, TEXT_FILE, read_text, readable_errors
from .output import Cell, count, json_option, lines_option, print_json, print_line, print_note, print_table, show_moment
from .registration_token import read_lifetime

secret_group = AppGroup("secret", help="Give a client a shared secret for a while, replace it, take it away.")


def _read_secret(file: BinaryIO | None) -> str | None:
    """The secret in *file*, without the line break at its end."""
    return None if file is None else read_text(file).removesuffix("\n").removesuffix("\r")


def _tell(given: GivenSecret, *, was_made: bool, as_json: bool) -> None:
    """Show a secret that was made here, this once; one that was read from a file is not shown."""
    described = given.described
    if as_json:
        shown = {"client_secret": given.secret} if was_made else {}
        print_json({**shown, **asdict(described)})
        return
    if was_made:
        click.echo(given.secret)
    name = escape_unprintable(described.client_id)
    note = " It is not shown again." if was_made else ""
    click.echo(f"Secret {described.name} of client {name}, for {described.method}, {_end(described)}.{note}", err=True)


@secret_group.command("give")
@click.argument("client_id")
@click.argument("file", type=TEXT_FILE, required=False)
@click.option("--method", type=click.Choice(METHODS), help="How the client shows it; default: as it is registered.")
@click.option("--alg", type=click.Choice(["HS256", "HS384", "HS512"]), help="For client_secret_jwt; default: HS256.")
@click.option("--until", metavar="DATE", help="The client's own date, in UTC: from then on the secret is refused.")
@json_option("Print the secret with all about it as JSON.")
def give(
    client_id: str, file: BinaryIO | None, method: str | None, alg: str | None, until: str | None, as_json: bool
) -> None:
    """Give a client a secret beside what it has. FILE holds the secret (- is standard input); else a new one is made.

    A new secret is shown this once. For client_secret_jwt, FILE may also hold a JWK of the type oct.
    """
    text = _read_secret(file)
    with readable_errors():
        given = current_state().clients.secrets.give(client_id, secret=text, method=method, alg=alg, until=until)
    _tell(given, was_made=text is None, as_json=as_json)


@secret_group.command("replace")
@click.argument("client_id")
@click.argument("file", type=TEXT_FILE, required=False)
@click.option("--method", type=click.Choice(METHODS), help="Whose secrets are replaced; default: as the newest one.")
@click.option("--overlap", default="1d", show_default=True, callback=read_lifetime, help="How long the old ones count.")
@click.option("--at-once", is_flag=True, help="End the old ones now, as after a leak.")
@yes_option
@json_option("Print the secret with all about it as JSON.")
def replace(
    client_id: str, file: BinaryIO | None, method: str | None, overlap: int, at_once: bool, yes: bool, as_json: bool
) -> None:
    """Give a client a new secret; the old ones for the same method end after the overlap. FILE is as with `give`."""
    text, seconds = _read_secret(file), 0 if at_once else overlap
    with readable_errors():
        if at_once and current_state().clients.secrets.all(client_id):
            ask_first(f"The secrets that client {client_id} has now end at once. Go on?", yes=yes)
        given = current_state().clients.secrets.replace(client_id, secret=text, method=method, overlap_seconds=seconds)
    _tell(given, was_made=text is None, as_json=as_json)


@secret_group.command("end")
@click.argument("client_id")
@click.argument("date")
@click.option("--name", help="The one secret that is meant; default: all of the client's.")
@json_option("Print the client's secrets as JSON, times in seconds since the epoch.")
def end(client_id: str, date: str, name: str | None, as_json: bool) -> None:
    """Set the client's own DATE (ISO 8601, UTC): from then on its secrets are refused."""
    with readable_errors():
        current_state().clients.secrets.end(client_id, until=date, name=name)
        secrets = current_state().clients.secrets.all(client_id)
    if as_json:
        print_json([asdict(secret) for secret in secrets])
        return
    for secret in secrets:
        print_line(f"Secret {secret.name} of client {client_id} counts {_end(secret)}.")


@secret_group.command("remove", context_settings=DASH_IS_NO_OPTION)
@click.argument("client_id")
@click.argument("name", required=False)
@click.option("--all", "whole", is_flag=True, help="Remove all of the client's secrets.")
@yes_option
@json_option("Print the number of removed secrets, and those that are left, as JSON.")
def remove(client_id: str, name: str | None, whole: bool, yes: bool, as_json: bool) -> None:
    """Take the secret NAME from a client, from its next request on; `client secrets` shows the names."""
    if (name is None) != whole:
        raise click.UsageError("Name the secret that is meant, or give --all.")
    state = current_state()
    with readable_errors():
        names = [secret.name for secret in state.clients.secrets.all(client_id)]
        if whole or name in names:
            lost = "all its secrets" if whole else f"the secret {name}"
            ask_first(f"Client {client_id} loses {lost}, which nobody can show again. Go on?", yes=yes)
        removed = state.clients.secrets.remove(client_id, name=name)
        client, left = state.clients.get(client_id), state.clients.secrets.all(client_id)
    if as_json:
        print_json({"removed": removed, "left": [asdict(secret) for secret in left]})
    else:
        print_line(f"Client {client_id} has {count(removed, 'secret')} less, from its next request on.")
    if not left and not _has_keys(client):
        print_note("it has neither keys nor secrets now, and cannot authenticate.")


@click.command("secrets")
@click.option("--client", "client_id", help="Only the secrets of this client.")
@click.option("--accepted", is_flag=True, help="Only the secrets that are accepted now.")
@json_option("Print the secrets as JSON, times in seconds since the epoch.")
@lines_option
@with_appcontext
def secrets(client_id: str | None, accepted: bool, as_json: bool, as_lines: bool) -> None:
    """List the clients that have shared secrets, who still uses one, and when last, to the hour."""
    state = current_state()
    with readable_errors():
        found = [
            secret
            for secret in state.clients.secrets.all()
            if client_id in (None, secret.client_id) and (secret.counts or not accepted)
        ]
        names = {secret.client_id for secret in found}
        clients = [client for client in state.clients.all() if client.client_id in names]
        keys = {client.client_id: _find_key_use(state, client) for client in clients}
    if as_json:
        print_json([{**asdict(secret), "keys": keys.get(secret.client_id)} for secret in found])
    elif as_lines:
        for secret in found:
            print_line(_line(secret, keys.get(secret.client_id)))
    else:
        headers = ("CLIENT", "METHOD", "NAME", "LAST USED", "UNTIL", "KEYS LAST SIGNED", "STATE")
        print_table(headers, (_fields(secret, keys.get(secret.client_id)) for secret in found))
    if not found and not as_json:
        click.echo("No client has a secret." if client_id is None and not accepted else "There is no such secret.")


def _has_keys(client: RegisteredClient) -> bool:
    return client.jwks is not None or client.jwks_uri is not None


def _find_key_use(state: State, client: RegisteredClient) -> dict[str, int | None] | None:
    """When a key of the client last signed; ``None``: it has no keys."""
    if not _has_keys(client):
        return None
    uses = state.stored_key_use.load(client.client_id).values()
    return {"last_signed_at": max((use.last_used_at for use in uses if use.last_used_at), default=None)}


def _line(secret: ClientSecret, keys: dict[str, int | None] | None) -> str:
    used = show_moment(secret.last_used_at, absent="never")
    signed = "no keys" if keys is None else f"keys last signed {show_moment(keys['last_signed_at'], absent='never')}"
    state = "" if secret.counts else "  refused now"
    return f"{secret.client_id}  {secret.method}  {secret.name}  last used {used}  {_end(secret)}  {signed}{state}"


def _fields(secret: ClientSecret, keys: dict[str, int | None] | None) -> list[str | Cell]:
    return [
        secret.client_id,
        secret.method,
        secret.name,
        show_moment(secret.last_used_at, absent="never"),
        _end(secret).removeprefix("until "),
        "no keys" if keys is None else show_moment(keys["last_signed_at"], absent="never"),
        Cell("accepted", "yellow") if secret.counts else Cell("refused now"),
    ]


def _end(secret: ClientSecret) -> str:
    return f"until {show_moment(secret.expires_at, absent='OAUTH2_CLIENT_SECRETS_UNTIL')}"
