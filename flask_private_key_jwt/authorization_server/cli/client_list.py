"""``flask oauth2 client list``: who the clients are, whose they are, when it was last used, how long its keys last."""

from typing import Any

import click
from flask.cli import with_appcontext

from ... import clock
from ..keys.client_key_state import EXPIRY_NOTICE_SECONDS
from ..registered_client import RegisteredClient
from ..registration.authentication import is_keyless
from ..registration.metadata import describe_client
from ..registration.overview import KINDS, ClientOverview
from ..state import current_state
from .input import readable_errors
from .output import Cell, json_option, lines_option, print_json, print_line, print_note, print_table, show_moment
from .registration_token import read_optional_lifetime

_HEADERS = ("CLIENT", "OWNER", "KIND", "CREDENTIAL", "TOKENS", "LAST USED", "KEYS END", "STATE", "SCOPE")


@click.command("list")
@click.option("--owner", help="Only the clients of this owner.")
@click.option("--kind", type=click.Choice(KINDS), help="Only the clients of this kind.")
@click.option("--scope", help="Only the clients that may ask for this scope.")
@click.option("--self-registered", is_flag=True, help="Only the clients that registered themselves.")
@click.option("--disabled", is_flag=True, help="Only the clients that are disabled.")
@click.option(
    "--unused-for", callback=read_optional_lifetime, metavar="TIME", help="Only clients not used for e.g. 90d."
)
@click.option(
    "--keys-end-within",
    callback=read_optional_lifetime,
    metavar="TIME",
    help="Only clients whose last key ends so soon.",
)
@json_option("Print the registrations as JSON, with kind, last use and end of keys; times in seconds since the epoch.")
@lines_option
@with_appcontext
def list_clients(as_json: bool, as_lines: bool, **filters: Any) -> None:
    """List the clients: whose they are, what for, when each was last used, and when it cannot sign any more.

    Use is noted to the hour. Clients registered by a document are not in the database, and not in this list.
    """
    with readable_errors():
        found = [overview for overview in current_state().overviews.all() if _is_wanted(overview, **filters)]
    if as_json:
        print_json([_describe(overview) for overview in found])
    elif as_lines:
        for overview in found:
            print_line(_line(overview.client))
    else:
        print_table(_HEADERS, (_fields(overview) for overview in found))
        for overview in found:
            for shortcoming in overview.shortcomings if overview.client.enabled else ():
                print_note(f"{overview.client.client_id}: {shortcoming}.")


def _is_wanted(
    overview: ClientOverview,
    *,
    owner: str | None,
    kind: str | None,
    scope: str | None,
    self_registered: bool,
    disabled: bool,
    unused_for: int | None,
    keys_end_within: int | None,
) -> bool:
    client, now, end = overview.client, clock.now(), overview.keys_expire_at
    return all(
        (
            owner in (None, client.owner),
            kind in (None, overview.kind),
            scope is None or scope in client.scope,
            not self_registered or client.registered_by != "operator",
            not disabled or not client.enabled,
            unused_for is None or (overview.last_used_at or 0) <= now - unused_for,
            keys_end_within is None or (end is not None and end <= now + keys_end_within),
        )
    )


def _describe(overview: ClientOverview) -> dict[str, Any]:
    return {
        **describe_client(overview.client),
        "kind": overview.kind,
        "registered_by": overview.client.registered_by,
        "last_used_at": overview.last_used_at,
        "keys_expire_at": overview.keys_expire_at,
        "shortcomings": list(overview.shortcomings),
    }


def _fields(overview: ClientOverview) -> list[str | Cell]:
    client = overview.client
    return [
        client.client_id,
        client.owner or "-",
        overview.kind,
        "none" if client.is_public else "secret" if is_keyless(client) else "key",
        _binding(client),
        show_moment(overview.last_used_at, absent="never"),
        _show_end(overview.keys_expire_at),
        _state(overview),
        " ".join(sorted(client.scope)),
    ]


def _show_end(end: int | None) -> Cell:
    if end is None:
        return Cell("-")
    now = clock.now()
    color: Any = "red" if end < now else "yellow" if end - now <= EXPIRY_NOTICE_SECONDS else None
    return Cell(show_moment(end), color)


def _state(overview: ClientOverview) -> Cell:
    client = overview.client
    origin = "" if client.registered_by == "operator" else ", registered itself"
    if not client.enabled:
        return Cell(f"disabled{origin}", "red")
    if overview.shortcomings:
        return Cell(f"see note{origin}", "yellow")
    return Cell(f"enabled{origin}", "green")


def _binding(client: RegisteredClient) -> str:
    return "DPoP" if client.dpop_bound_access_tokens else "Bearer or DPoP"


def _line(client: RegisteredClient) -> str:
    state = "" if client.enabled else "  disabled"
    origin = "" if client.registered_by == "operator" else "  registered itself"
    return f"{client.client_id}  [{_binding(client)}]  {' '.join(sorted(client.scope))}{origin}{state}"
