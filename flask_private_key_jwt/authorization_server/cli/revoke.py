"""``flask oauth2 revoke``: revoke the tokens of a client or a person, or one access token."""

import click
from flask.cli import with_appcontext

from ...errors import UnknownClient
from ..state import State, current_state
from ..stores.granted import Holder
from .input import give_up, readable_errors


@click.command()
@click.option("--client", "client_id", help="All that this client holds, its own access tokens included.")
@click.option("--subject", help="All that this person granted; with --client, to that client.")
@click.option("--jti", help="One access token, by its jti.")
@with_appcontext
def revoke(client_id: str | None, subject: str | None, jti: str | None) -> None:
    """Revoke tokens that were issued up to now.

    Refresh tokens and codes end at once, access tokens wherever revocation is looked up. Consents are forgotten. The
    client may go on asking for new ones: `client disable` stops that.
    """
    if bool(jti) == bool(client_id or subject):
        give_up("Give --client, --subject or both, or else --jti.")
    state = current_state()
    with readable_errors():
        if jti:
            state.server.revocations.revoke_token(jti)
            click.echo(f"Access token {jti} is revoked, if there is one.")
        else:
            _revoke_all(state, Holder(subject=subject or None, client_id=client_id or None))


def _revoke_all(state: State, holder: Holder) -> None:
    count = state.server.revocations.revoke_all(holder)
    grants = "1 grant" if count == 1 else f"{count} grants"
    click.echo(f"Revoked: {_describe(holder)}; {grants}, and every access token issued up to now.")
    if holder.client_id is not None:
        _warn_of_unknown(state, holder.client_id)


def _describe(holder: Holder) -> str:
    if holder.subject is None:
        return f"what client {holder.client_id} holds"
    granted = f"what {holder.subject!r} granted"
    return granted if holder.client_id is None else f"{granted} client {holder.client_id}"


def _warn_of_unknown(state: State, client_id: str) -> None:
    """Print a note if there is no such client: otherwise nobody would notice a misspelt name, which revokes nothing."""
    try:
        state.clients.get(client_id)
    except UnknownClient:
        click.echo(f"Note: no client {client_id} is registered here.", err=True)
