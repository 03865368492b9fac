"""``flask oauth2 secret`` and ``flask oauth2 purge``."""

import secrets
import time

import click
from flask.cli import with_appcontext

from ...database.batches import BATCH_ROWS
from ..state import current_state
from .input import readable_errors
from .output import count, json_option, print_json

_REST = 4.0
"""A purge pauses this many times as long as it wrote, so that others can use the database. A process that waits for an
SQLite file only tries again after up to a tenth of a second: it never gets a lock that is held most of the time."""


@click.command()
@json_option("Print the secret as JSON.")
def secret(as_json: bool) -> None:
    """Make a secret for SECRET_KEY or OAUTH2_SECRETS."""
    made = secrets.token_urlsafe(48)
    if as_json:
        print_json({"secret": made})
    else:
        click.echo(made)


@click.command()
@click.option(
    "--batch", default=BATCH_ROWS, show_default=True, type=click.IntRange(1, 100000), help="Rows a transaction."
)
@click.option(
    "--rest",
    "rest_factor",
    default=_REST,
    show_default=True,
    type=click.FloatRange(0, 100),
    help="Pause after each transaction, this many times as long as it took; 1 is enough on PostgreSQL and MariaDB.",
)
@json_option("Print how many entries were deleted as JSON.")
@with_appcontext
def purge(batch: int, rest_factor: float, as_json: bool) -> None:
    """Delete what expired an hour ago: used jti values, old keys, documents, registration tokens, codes, refresh
    tokens, revocations, counters, client secrets, kept refusals; clients that registered themselves and were never
    used; and rows of the audit trail that are older than OAUTH2_AUDIT_KEEP_SECONDS.

    Safe at any time, while the server runs. Run it daily; on a busy server each hour or more often, with --batch 10000
    --rest 1.
    """
    state = current_state()
    stores = (
        state.replay,
        state.documents,
        state.registration_tokens,
        state.key_use,
        state.stored_client_secrets,
        state.authorizations,
        state.refresh_tokens,
        state.revocations,
        state.counters,
        state.unused_clients,
        state.trail,
        state.stores.refusals,
    )

    def rest(seconds: float) -> None:
        time.sleep(rest_factor * seconds)

    with readable_errors():
        removed = sum(store.purge(batch=batch, rest=rest) for store in stores) + state.server_keys.purge()
    if as_json:
        print_json({"deleted": removed})
    else:
        click.echo(f"{count(removed, 'expired entry', 'expired entries')} deleted.")
