"""``flask oauth2 key …``: the server's own signing keys."""

import json
from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from ... import clock
from ..client_auth import client_secret_jwt
from ..keys.rotation import find_end, find_published, find_signer, load_schedule
from ..state import current_state
from ..stores.contracts import StoredKey
from .input import DASH_IS_NO_OPTION, readable_errors

key_group = AppGroup("key", help="Look at, rotate and retire the server's own signing keys.")


def _date(seconds: int | None) -> str:
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _describe(key: StoredKey, stored: tuple[StoredKey, ...]) -> dict[str, object]:
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


@key_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the keys as JSON, times in seconds since the epoch.")
def list_keys(as_json: bool) -> None:
    """List the keys: which signs, which comes next, which only verifies."""
    with readable_errors():
        current_state().server_keys.current()
        stored = current_state().server_keys.all()
    rows = [_describe(key, stored) for key in stored]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for key, row in zip(stored, rows, strict=True):
        until = row["published_until"]
        end = f"  published until {_date(until)}" if isinstance(until, int) else ""
        click.echo(f"{key.kid}  {key.alg}  {row['state']}  signs from {_date(key.signs_from)}{end}")


@key_group.command("rotate")
@click.option("--now", "at_once", is_flag=True, help="Let the next key sign at once, announced or not.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
def rotate(at_once: bool, dry_run: bool) -> None:
    """Announce the next key now, ahead of its time; it signs when the announcement is over."""
    with readable_errors():
        key = current_state().server_keys.rotate(at_once=at_once, dry_run=dry_run)
    if dry_run:
        click.echo(f"A {key.alg} key would sign from {_date(key.signs_from)}. Nothing was changed.")
    else:
        click.echo(f"Key {key.kid} ({key.alg}) signs from {_date(key.signs_from)}.")


@key_group.command("retire", context_settings=DASH_IS_NO_OPTION)
@click.argument("kid")
@click.confirmation_option(prompt="Tokens signed by this key stop being accepted. Go on?")
def retire(kid: str) -> None:
    """Take a key out of use and out of the JWKS at once, as after a leak."""
    with readable_errors():
        key = current_state().server_keys.retire(kid)
    click.echo(
        f"Key {key.kid} is retired. This server takes it no more; other APIs follow within their JWKS cache time."
    )


@key_group.command("reencrypt")
def reencrypt() -> None:
    """Encrypt the keys with the newest secret, so that SECRET_KEY_FALLBACKS can be emptied."""
    with readable_errors():
        state = current_state()
        count = state.server_keys.reencrypt()
        left = state.client_secrets.reencrypt(is_jwt=lambda secret: secret.method == client_secret_jwt.METHOD)
    click.echo(f"{count} {'key is' if count == 1 else 'keys are'} encrypted with the newest secret.")
    if left:
        click.echo(
            f"Note: {left} of the clients' own secrets {'needs' if left == 1 else 'need'} an older one until the "
            "client has used it once more.",
            err=True,
        )
