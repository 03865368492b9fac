"""``private-key-jwt introspect``: what the server says of a token."""

import sys

import click

from ... import clock
from ..introspection import IntrospectionClient
from .options import ServerOptions, is_on_command_line, read_token_argument, server_options
from .output import show, waiting, warn
from .program import REFUSED, ClientCommand
from .words import describe


@click.command("introspect", cls=ClientCommand)
@server_options
@click.option("--hint", type=click.Choice(["access_token", "refresh_token"]), help="What kind of token it is.")
@click.argument("token", default="-")
def introspect_command(server: ServerOptions, hint: str | None, token: str) -> None:
    """Ask the server whether a token is active, and what it says (RFC 7662). Exit code 1 if it is not active.

    TOKEN is the token, the path of a file, or - for standard input (the default).
    """
    server.require_key()
    text = read_token_argument(token)
    if is_on_command_line(token):
        warn("Other users of this machine can read command lines. Standard input is safer for tokens.")
    client = IntrospectionClient(server.issuer, server.client_id, **server.arguments())
    with waiting(f"Asking {server.issuer} about the token"):
        found = client.introspect(text, hint)
    if found.active:
        show({"active": True, "claims": dict(found.claims)}, ["Active.", *describe(found.claims, now=clock.now())])
    else:
        show(
            {"active": False},
            ["Not active: expired, revoked, unknown, or not one that this client may ask about."],
        )
        sys.exit(REFUSED)
