"""``flask oauth2 key …``: the server's own signing keys."""

from typing import Any

import click
from flask.cli import AppGroup

from ... import clock
from ..client_auth import client_secret_jwt
from ..keys.rotation import find_end, find_published, find_signer, load_schedule
from ..state import current_state
from ..stores.contracts import StoredKey
from .asking import ask_first, yes_option
from .input import DASH_IS_NO_OPTION, readable_errors
from .output import (
    Cell,
    Color,
    count,
    json_option,
    lines_option,
    print_json,
    print_line,
    print_note,
    print_table,
    show_moment,
)

key_group = AppGroup("key", help="Look at, rotate and retire the server's own signing keys.")


STATES: dict[str, Color | None] = {"signs": "green", "announced": "yellow", "verifies": None, "retired": "red"}
"""The states of a key, with their colors."""


def _describe(key: StoredKey, stored: tuple[StoredKey, ...]) -> dict[str, Any]:
    now, schedule = clock.now(), load_schedule(current_state().settings)
    signer = find_signer(stored, now=now)
    if key not in find_published(stored, schedule, now=now):
        state = "retired"
    elif key == signer:
        state = "signs"
    else:
        state = "announced" if key.signs_from > now else "verifies"
    return {
        "kid": key.kid,
        "alg": key.alg,
        "state": state,
        "created_at": key.created_at,
        "signs_from": key.signs_from,
        "published_until": find_end(key, stored, schedule),
    }


def _fields(row: dict[str, Any]) -> list[str | Cell]:
    times = (show_moment(row[name]) for name in ("created_at", "signs_from", "published_until"))
    return [row["kid"], row["alg"], Cell(row["state"], STATES[row["state"]]), *times]


@key_group.command("list")
@click.option("--state", type=click.Choice(list(STATES)), help="Only the keys in this state.")
@json_option("Print the keys as JSON, times in seconds since the epoch.")
@lines_option
def list_keys(state: str | None, as_json: bool, as_lines: bool) -> None:
    """List the keys: which signs, which comes next, which only verifies."""
    with readable_errors():
        current_state().server_keys.current()
        stored = current_state().server_keys.all()
    rows = [row for key in stored if state in (None, (row := _describe(key, stored))["state"])]
    if as_json:
        print_json(rows)
    elif as_lines:
        for row in rows:
            until = row["published_until"]
            end = "" if until is None else f"  published until {show_moment(until)}"
            print_line(f"{row['kid']}  {row['alg']}  {row['state']}  signs from {show_moment(row['signs_from'])}{end}")
    else:
        headers = ("KID", "ALGORITHM", "STATE", "MADE", "SIGNS FROM", "PUBLISHED UNTIL")
        print_table(headers, (_fields(row) for row in rows))


@key_group.command("rotate")
@click.option("--now", "at_once", is_flag=True, help="Let the next key sign at once, announced or not.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@json_option("Print the key as JSON, times in seconds since the epoch.")
def rotate(at_once: bool, dry_run: bool, as_json: bool) -> None:
    """Announce the next key now, ahead of its time; it signs when the announcement is over."""
    with readable_errors():
        key = current_state().server_keys.rotate(at_once=at_once, dry_run=dry_run)
    if as_json:
        made = {} if dry_run else {"kid": key.kid}
        print_json({**made, "alg": key.alg, "signs_from": key.signs_from, "changed": not dry_run})
    elif dry_run:
        click.echo(f"A {key.alg} key would sign from {show_moment(key.signs_from)}. Nothing was changed.")
    else:
        click.echo(f"Key {key.kid} ({key.alg}) signs from {show_moment(key.signs_from)}.")


@key_group.command("retire", context_settings=DASH_IS_NO_OPTION)
@click.argument("kid")
@yes_option
@json_option("Print the key as JSON, times in seconds since the epoch.")
def retire(kid: str, yes: bool, as_json: bool) -> None:
    """Take a key out of use and out of the JWKS at once, as after a leak."""
    ask_first(f"Tokens signed by the key {kid} stop being accepted. Go on?", yes=yes)
    with readable_errors():
        key = current_state().server_keys.retire(kid)
        stored = tuple(current_state().server_keys.all()) if as_json else ()
    if as_json:
        print_json(_describe(next((found for found in stored if found.kid == key.kid), key), stored))
        return
    click.echo(
        f"Key {key.kid} is retired. This server takes it no more; other APIs follow within their JWKS cache time."
    )


@key_group.command("reencrypt")
@json_option("Print the numbers as JSON.")
def reencrypt(as_json: bool) -> None:
    """Encrypt the keys with the newest secret, so that SECRET_KEY_FALLBACKS can be emptied."""
    with readable_errors():
        state = current_state()
        done = state.server_keys.reencrypt()
        left = state.client_secrets.reencrypt(is_jwt=lambda secret: secret.method == client_secret_jwt.METHOD)
    if as_json:
        print_json({"keys": done, "secrets_that_need_an_older_one": left})
    else:
        click.echo(f"{count(done, 'key is', 'keys are')} encrypted with the newest secret.")
    if left:
        print_note(
            f"{left} of the clients' own secrets {'needs' if left == 1 else 'need'} an older one until the client has "
            "used it once more."
        )
