"""``flask oauth2 registration-token …``: lets others register clients over HTTP (RFC 7591 §3)."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import click
from flask.cli import AppGroup

from ... import clock
from ..readable_text import escape_unprintable
from ..state import current_state
from ..stores.sql.registration_tokens import RegistrationToken
from .input import give_up, readable_errors

registration_token_group = AppGroup("registration-token", help="Let others register a client of their own over HTTP.")

MAX_USES = 1_000_000
MAX_LABEL_CHARACTERS = 255
_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_LONGEST_SECONDS = 366 * 86400


def read_lifetime(_context: click.Context, _option: click.Parameter, text: str) -> int:
    """A time such as ``90m``, ``12h``, ``7d`` or ``4w``, in seconds."""
    match = re.fullmatch(r"([1-9][0-9]{0,5})([mhdw])", text, re.ASCII)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise click.BadParameter(f"{text!r} is not a time such as 90m, 12h, 7d or 4w, of at most 366d.")
    return seconds


@registration_token_group.command("create")
@click.option("--uses", default=1, show_default=True, type=click.IntRange(1, MAX_USES), help="Clients to register.")
@click.option("--expires-in", default="7d", show_default=True, callback=read_lifetime, help="For how long, e.g. 12h.")
@click.option("--label", default="", help="Whom it is for; you will see it in the list and in the log.")
@click.option("--allow-client-id", is_flag=True, help="Clients may choose their own client_id with it.")
@click.option("--json", "as_json", is_flag=True, help="Print the token with all about it as JSON.")
def create(uses: int, expires_in: int, label: str, allow_client_id: bool, as_json: bool) -> None:
    """Make a registration token. It is shown this once and kept as a hash."""
    if len(label) > MAX_LABEL_CHARACTERS or not label.isprintable():
        give_up(f"The label must be at most {MAX_LABEL_CHARACTERS} printable characters.")
    state = current_state()
    with readable_errors():
        token, kept = state.registration_tokens.create(
            uses=uses, lifetime=expires_in, label=label, may_choose_client_id=allow_client_id
        )
    if as_json:
        click.echo(json.dumps({"token": token, **_describe(kept)}, indent=2))
    else:
        click.echo(token)
        click.echo(f"Registration token {_summary(kept)}. It is not shown again.", err=True)
    if state.settings.REGISTRATION == "closed":
        click.echo("Note: OAUTH2_REGISTRATION is closed; nobody can use the token until it is token or open.", err=True)


@registration_token_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the tokens as JSON, times in seconds since the epoch.")
def list_tokens(as_json: bool) -> None:
    """List the registration tokens, by their ids: used up and expired ones too, until the next purge."""
    with readable_errors():
        tokens = current_state().registration_tokens.all()
    if as_json:
        click.echo(json.dumps([_describe(token) for token in tokens], indent=2))
        return
    for token in tokens:
        click.echo(_summary(token))


@registration_token_group.command("revoke")
@click.argument("token_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print what was revoked as JSON.")
def revoke(token_id: str, as_json: bool) -> None:
    """Revoke a registration token by its id. Clients that registered with it stay."""
    with readable_errors():
        tokens = current_state().registration_tokens
        found = next((token for token in tokens.all() if token.id == token_id), None)
        if found is None or not tokens.revoke(found):
            give_up(f"There is no registration token {token_id}; `flask oauth2 registration-token list` shows them.")
    if as_json:
        click.echo(json.dumps(_describe(found), indent=2))
    else:
        click.echo(f"Registration token {found.id} is revoked.")


@registration_token_group.command("reissue")
@click.argument("client_id")
@click.option("--json", "as_json", is_flag=True, help="Print the URI and the token as JSON.")
def reissue(client_id: str, as_json: bool) -> None:
    """Give a client a new registration access token, with which it manages itself; an old one ends.

    For a token that was lost or leaked, and for a client of yours that shall look after its own keys.
    """
    with readable_errors():
        issued = current_state().self_registration.reissue(client_id)
    if as_json:
        click.echo(json.dumps(issued, indent=2))
    else:
        click.echo(issued["registration_access_token"])
        click.echo(f"For {issued['registration_client_uri']}. It is not shown again.", err=True)


def _describe(token: RegistrationToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "label": token.label,
        "uses_left": token.uses_left,
        "may_choose_client_id": token.may_choose_client_id,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    }


def _summary(token: RegistrationToken) -> str:
    if clock.is_over(token.expires_at):
        state = "expired"
    else:
        uses = f"{token.uses_left} {'use' if token.uses_left == 1 else 'uses'} left" if token.uses_left else "used up"
        state = f"{uses}, until {datetime.fromtimestamp(token.expires_at, UTC):%Y-%m-%d %H:%M UTC}"
    choice = ", client_id may be chosen" if token.may_choose_client_id else ""
    label = f"  {escape_unprintable(token.label)}" if token.label else ""
    return f"{token.id}  {state}{choice}{label}"
