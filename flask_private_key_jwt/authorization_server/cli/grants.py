"""``flask oauth2 grants …``: what people allow clients, since when, when it was last used; and how to take it back."""

from typing import Any

import click
from flask.cli import AppGroup

from ... import clock
from ..authorization.person_grants import PersonGrant
from ..state import current_state
from ..stores.granted import Holder
from .asking import yes_option
from .input import give_up, readable_errors
from .output import Cell, json_option, print_json, print_table, show_moment
from .registration_token import read_optional_lifetime
from .revoke import revoke_held

grants_group = AppGroup("grants", help="Look at what people allow clients, and take it back.")

_HEADERS = ("SUBJECT", "CLIENT", "NAME", "SINCE", "LAST USED", "SESSIONS", "ENDS", "SCOPE")


@grants_group.command("list")
@click.option("--subject", help="Only what this person allows.")
@click.option("--client", "client_id", help="Only what this client is allowed.")
@click.option("--scope", help="Only what holds this scope.")
@click.option(
    "--unused-for", callback=read_optional_lifetime, metavar="TIME", help="Only what was not used for e.g. 90d."
)
@json_option("Print the grants as JSON, times in seconds since the epoch.")
def list_grants(
    subject: str | None, client_id: str | None, scope: str | None, unused_for: int | None, as_json: bool
) -> None:
    """List who allowed what to whom, since when, and when the client last got a token for it.

    A line is what one person allows one client. SESSIONS counts the refresh tokens, one for each sign-in. "-" in ENDS:
    no token is left, but the consent is remembered, so the client may get one without a question.
    """
    with readable_errors():
        grants = current_state().person_grants
        whose = {"subject": subject, "client_id": client_id}
        found = grants.all() if subject is None and client_id is None else grants.find(**whose)
    latest = None if unused_for is None else clock.now() - unused_for
    wanted = [
        grant
        for grant in found
        if (scope is None or scope in grant.scope) and (latest is None or (_last_heard_of(grant) <= latest))
    ]
    if as_json:
        print_json([_describe(grant) for grant in wanted])
    else:
        print_table(_HEADERS, (_fields(grant) for grant in wanted))


@grants_group.command("revoke")
@click.option("--subject", help="All that this person allows; with --client, to that client.")
@click.option("--client", "client_id", help="All that this client is allowed, its own access tokens included.")
@yes_option
@json_option("Print how many grants were revoked as JSON.")
def revoke_grants(subject: str | None, client_id: str | None, yes: bool, as_json: bool) -> None:
    """Revoke what a person allows a client, all that they allow, or all that a client is allowed.

    Refresh tokens and codes end at once, access tokens wherever revocation is looked up. Consents are forgotten, so the
    person is asked again.
    """
    if "" in (subject, client_id) or not (subject or client_id):
        give_up("Give --subject, --client or both.")
    with readable_errors():
        holder = Holder(subject=subject, client_id=client_id)
        revoke_held(current_state(), holder, yes=yes, as_json=as_json)


def _last_heard_of(grant: PersonGrant) -> int:
    return grant.last_used_at or grant.granted_at or 0


def _describe(grant: PersonGrant) -> dict[str, Any]:
    return {
        "subject": grant.subject,
        "client_id": grant.client_id,
        "client_name": grant.client_name,
        "scope": " ".join(grant.scope),
        "resources": list(grant.resources),
        "granted_at": grant.granted_at,
        "last_used_at": grant.last_used_at,
        "ends_at": grant.ends_at,
        "sessions": grant.sessions,
    }


def _fields(grant: PersonGrant) -> list[str | Cell]:
    return [
        grant.subject,
        grant.client_id,
        grant.client_name or "-",
        show_moment(grant.granted_at),
        show_moment(grant.last_used_at),
        str(grant.sessions),
        show_moment(grant.ends_at),
        " ".join(grant.scope),
    ]
