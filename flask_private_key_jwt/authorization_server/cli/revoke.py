"""``flask oauth2 revoke``: revoke the tokens of a client or a person, or one access token."""

import click
from flask.cli import with_appcontext

from ...errors import UnknownClient
from ..state import State, current_state
from ..stores.granted import Holder
from .asking import ask_first, yes_option
from .input import give_up, readable_errors
from .output import count, json_option, print_json, print_line, print_note


@click.command()
@click.option("--client", "client_id", help="All that this client holds, its own access tokens included.")
@click.option("--subject", help="All that this person granted; with --client, to that client.")
@click.option("--jti", help="One access token, by its jti.")
@yes_option
@json_option("Print how many grants were revoked as JSON.")
@with_appcontext
def revoke(client_id: str | None, subject: str | None, jti: str | None, yes: bool, as_json: bool) -> None:
    """Revoke tokens that were issued up to now.

    Refresh tokens and codes end at once, access tokens wherever revocation is looked up. Consents are forgotten. The
    client may go on asking for new ones: `client disable` stops that.
    """
    # An empty value is what a script gives whose variable is not set: it must not mean more than one person or client.
    if "" in (client_id, subject, jti) or bool(jti) == bool(client_id or subject):
        give_up("Give --client, --subject or both, or else --jti.")
    state = current_state()
    with readable_errors():
        if jti:
            ask_first(f"The access token {jti} is revoked. Go on?", yes=yes)
            state.server.revocations.revoke_token(jti)
            if as_json:
                print_json({"jti": jti})
            else:
                print_line(f"Access token {jti} is revoked, if there is one.")
        else:
            revoke_held(state, Holder(subject=subject, client_id=client_id), yes=yes, as_json=as_json)


def revoke_held(state: State, holder: Holder, *, yes: bool, as_json: bool) -> None:
    """Ask, revoke all that *holder* holds or granted, and tell."""
    if not yes:
        grants = count(len(state.refresh_tokens.find_grants(holder)), "grant")
        ask_first(
            f"This revokes {_describe(holder)}: {grants}, every access token issued up to now, and what is remembered "
            "of the consents. Go on?",
            yes=False,
        )
    revoked = state.server.revocations.revoke_all(holder)
    if as_json:
        print_json({"subject": holder.subject, "client_id": holder.client_id, "grants": revoked})
    else:
        grants = count(revoked, "grant")
        print_line(f"Revoked: {_describe(holder)}; {grants}, and every access token issued up to now.")
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
        print_note(f"no client {client_id} is registered here.")
