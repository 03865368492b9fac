"""``private-key-jwt login`` and ``logout``: a person at this machine signs in, and out."""

import click

from ... import clock
from ..code_flow.browser import open_system_browser
from ..code_flow.client import PATIENCE_SECONDS
from .options import ServerOptions, dpop_key_option, resource_option, scope_option, server_options
from .output import note, quote, show, waiting
from .program import ClientCommand
from .sign_in_files import build_client, choose_files, tokens_option
from .words import show_distance


@click.command("login", cls=ClientCommand)
@server_options
@scope_option
@resource_option
@tokens_option
@dpop_key_option
@click.option(
    "--path",
    metavar="PATH",
    default="/callback",
    show_default=True,
    help="Path of the redirect URI at http://127.0.0.1.",
)
@click.option(
    "--patience", type=float, metavar="SECONDS", default=PATIENCE_SECONDS, show_default=True, help="How long to wait."
)
@click.option("--no-browser", is_flag=True, help="Only write the address to open.")
@click.option("--allow-missing-iss", is_flag=True, help="For a server that does not name itself in answers (weaker).")
def login_command(
    server: ServerOptions,
    scope: str | None,
    resources: tuple[str, ...],
    tokens_file: str | None,
    dpop_key: str | None,
    path: str,
    patience: float,
    no_browser: bool,
    allow_missing_iss: bool,
) -> None:
    """Sign a person in with their browser, and keep their tokens for ``get --person``.

    The tokens are bound to a key, which is made at the first sign-in. Both files are for their owner only.
    """
    files = choose_files(server, tokens_file, dpop_key)
    client = build_client(server, files, allow_missing_iss=allow_missing_iss)

    def bring(url: str) -> None:
        opened = not no_browser and open_system_browser(url)
        note("If no browser opens, open this address:" if opened else "Open this address in a browser on this machine:")
        note(f"  {url}")

    with waiting("Waiting for the browser", seconds=patience):
        tokens = client.sign_in_with_browser(
            files.store, scope=scope, resource=resources, path=path, open_browser=bring, patience_seconds=patience
        )
    expires_at = tokens.token.expires_at
    show(
        {
            "subject": tokens.subject,
            "claims": dict(tokens.claims),
            "scope": tokens.token.scope,
            "token_type": tokens.token.token_type,
            "expires_at": expires_at,
            "can_be_renewed": tokens.refresh_token is not None,
            "tokens": str(files.tokens),
            "dpop_key": str(files.dpop_key),
        },
        [
            f"Signed in as {quote(tokens.subject)}."
            if tokens.subject
            else "Signed in, without openid: it is not known as whom.",
            *([] if tokens.token.scope is None else [f"Scope: {quote(tokens.token.scope)}"]),
            *([] if expires_at is None else [f"The token expires {show_distance(expires_at, now=clock.now())}."]),
            "It will be renewed."
            if tokens.refresh_token
            else "It cannot be renewed: the server gave no refresh token.",
            f"Tokens: {files.tokens}",
        ],
    )


@click.command("logout", cls=ClientCommand)
@server_options
@tokens_option
@dpop_key_option
def logout_command(server: ServerOptions, tokens_file: str | None, dpop_key: str | None) -> None:
    """Revoke the person's tokens at the server, and remove them here."""
    files = choose_files(server, tokens_file, dpop_key)
    if files.store.load() is None:
        show({"signed_out": False}, ["Nobody is signed in."])
        return
    with waiting(f"Telling {server.issuer}"):
        build_client(server, files).sign_out(files.store)
    show({"signed_out": True}, ["Signed out: the tokens are revoked and removed."])
