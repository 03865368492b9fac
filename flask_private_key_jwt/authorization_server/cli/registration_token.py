"""``flask oauth2 registration-token …``: lets others register clients over HTTP (RFC 7591 §3)."""

import re
from typing import Any

import click
from flask.cli import AppGroup

from ... import clock
from ..readable_text import escape_unprintable
from ..state import current_state
from ..stores.sql.registration_tokens import RegistrationToken
from .asking import ask_first, yes_option
from .input import give_up, readable_errors
from .output import Cell, count, json_option, lines_option, print_json, print_line, print_note, print_table, show_moment

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


def read_optional_lifetime(context: click.Context, option: click.Parameter, text: str | None) -> int | None:
    """As :func:`read_lifetime`; ``None``: the option is absent."""
    return None if text is None else read_lifetime(context, option, text)


@registration_token_group.command("create")
@click.option("--uses", default=1, show_default=True, type=click.IntRange(1, MAX_USES), help="Clients to register.")
@click.option("--expires-in", default="7d", show_default=True, callback=read_lifetime, help="For how long, e.g. 12h.")
@click.option("--label", default="", help="Whom it is for; you will see it in the list and in the log.")
@click.option("--allow-client-id", is_flag=True, help="Clients may choose their own client_id with it.")
@json_option("Print the token with all about it as JSON.")
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
        print_json({"token": token, **_describe(kept)})
    else:
        click.echo(token)
        click.echo(escape_unprintable(f"Registration token {_summary(kept)}. It is not shown again."), err=True)
    if state.settings.REGISTRATION == "closed":
        print_note("OAUTH2_REGISTRATION is closed; nobody can use the token until it is token or open.")


@registration_token_group.command("list")
@click.option("--usable", is_flag=True, help="Only the tokens with which a client can register now.")
@json_option("Print the tokens as JSON, times in seconds since the epoch.")
@lines_option
def list_tokens(usable: bool, as_json: bool, as_lines: bool) -> None:
    """List the registration tokens, by their ids: used up and expired ones too, until the next purge."""
    with readable_errors():
        found = current_state().registration_tokens.all()
    tokens = [token for token in found if not usable or _state(token) == "usable"]
    if as_json:
        print_json([_describe(token) for token in tokens])
    elif as_lines:
        for token in tokens:
            print_line(_summary(token))
    else:
        print_table(("ID", "STATE", "USES LEFT", "UNTIL", "CLIENT_ID", "LABEL"), (_fields(token) for token in tokens))


@registration_token_group.command("revoke")
@click.argument("token_id", metavar="ID")
@yes_option
@json_option("Print what was revoked as JSON.")
def revoke(token_id: str, yes: bool, as_json: bool) -> None:
    """Revoke a registration token by its id. Clients that registered with it stay."""
    with readable_errors():
        tokens = current_state().registration_tokens
        found = next((token for token in tokens.all() if token.id == token_id), None)
        if found is not None:
            ask_first(f"Nobody can register with the token {_summary(found)} any more. Go on?", yes=yes)
        if found is None or not tokens.revoke(found):
            give_up(f"There is no registration token {token_id}; `flask oauth2 registration-token list` shows them.")
    if as_json:
        print_json(_describe(found))
    else:
        click.echo(f"Registration token {found.id} is revoked.")


@registration_token_group.command("reissue")
@click.argument("client_id")
@yes_option
@json_option("Print the URI and the token as JSON.")
def reissue(client_id: str, yes: bool, as_json: bool) -> None:
    """Give a client a new registration access token, with which it manages itself; an old one ends.

    For a token that was lost or leaked, and for a client of yours that shall look after its own keys.
    """
    with readable_errors():
        self_registration = current_state().self_registration
        if self_registration.has_token(client_id):
            ask_first(f"The registration access token that client {client_id} has now ends. Go on?", yes=yes)
        issued = self_registration.reissue(client_id)
    if as_json:
        print_json(issued)
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


def _state(token: RegistrationToken) -> str:
    return "expired" if clock.is_over(token.expires_at) else "usable" if token.uses_left else "used up"


def _fields(token: RegistrationToken) -> list[str | Cell]:
    state = _state(token)
    choice = "may be chosen" if token.may_choose_client_id else "is made"
    shown = Cell(state, "green" if state == "usable" else "yellow")
    return [token.id, shown, str(token.uses_left), show_moment(token.expires_at), choice, token.label]


def _summary(token: RegistrationToken) -> str:
    if clock.is_over(token.expires_at):
        state = "expired"
    else:
        uses = f"{count(token.uses_left, 'use')} left" if token.uses_left else "used up"
        state = f"{uses}, until {show_moment(token.expires_at)}"
    choice = ", client_id may be chosen" if token.may_choose_client_id else ""
    label = f"  {token.label}" if token.label else ""
    return f"{token.id}  {state}{choice}{label}"
