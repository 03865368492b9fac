"""``flask oauth2 secret`` and ``flask oauth2 purge``."""

import secrets

import click
from flask.cli import with_appcontext

from ..errors import StoreUnavailable
from ..state import current_state


@click.command()
def secret() -> None:
    """Make a secret for SECRET_KEY or OAUTH2_SECRETS."""
    click.echo(secrets.token_urlsafe(48))


@click.command()
@click.option("--batch", default=1000, show_default=True, type=click.IntRange(1, 100000), help="Rows a transaction.")
@with_appcontext
def purge(batch: int) -> None:
    """Delete what has expired: used jti values, old keys, documents, registration tokens, codes, refresh tokens,
    revocations.

    Safe at any time; run it daily or so.
    """
    state = current_state()
    try:
        removed = state.replay.purge(batch=batch) + state.server_keys.purge() + state.documents.purge()
        removed += state.registration_tokens.purge() + state.server.key_use.purge()
        removed += state.authorizations.purge() + state.refresh_tokens.purge() + state.revocations.purge()
    except StoreUnavailable as error:
        raise click.ClickException(f"A store did not answer: {error.reason}.") from None
    click.echo(f"{removed} expired {'entry' if removed == 1 else 'entries'} deleted.")
