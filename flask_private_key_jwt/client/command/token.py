"""``private-key-jwt token``: an access token for the client itself."""

from pathlib import Path

import click

from ... import clock
from ..key import load_key
from ..token_client import TokenClient
from .options import ServerOptions, dpop_key_option, resource_option, scope_option, server_options
from .output import note, quote, show, waiting, warn
from .program import ClientCommand
from .words import show_distance

BEARER = "Whoever has this token can use it. Do not put it where others can read it, nor into the history of a shell."
BOUND = "This token is useless without its DPoP key, but it is for this client's eyes all the same."


@click.command("token", cls=ClientCommand)
@server_options
@scope_option
@resource_option
@dpop_key_option
def token_command(server: ServerOptions, scope: str | None, resources: tuple[str, ...], dpop_key: str | None) -> None:
    """Get an access token for the client itself (client_credentials), and write it to standard output.

    With --dpop-key the token is bound to that key; without it is a Bearer token.
    """
    server.require_key()
    bound_key = None if dpop_key is None else load_key(Path(dpop_key))
    client = TokenClient(server.issuer, server.client_id, **server.arguments(), dpop_key=bound_key)
    with waiting(f"Asking {server.issuer} for a token"):
        token = client.request_token(scope=scope, resource=resources)
    warning = BOUND if bound_key else BEARER
    warn(warning)
    if token.expires_at is not None:
        note(f"Type {token.token_type}, expires {show_distance(token.expires_at, now=clock.now())}.")
    if token.scope is not None:
        note(f"Scope: {quote(token.scope)}")
    show(
        {
            "access_token": token.access_token,
            "token_type": token.token_type,
            "expires_at": token.expires_at,
            "scope": token.scope,
            "warning": warning,
        },
        [token.access_token],
    )
