"""``flask oauth2 client …``: register, show, change and stop clients."""

from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import click
from flask.cli import AppGroup

from ...errors import StoreUnavailable, UnknownClient
from ..registered_client import PUBLIC, RegisteredClient
from ..registration.metadata import describe_client, unknown_members
from ..state import current_state
from ..stores.granted import Holder
from .asking import ask_first, yes_option
from .input import TEXT_FILE, check_kid, give_up, read_certificate, read_object, readable_errors
from .output import count, json_option, print_json, print_line, print_note

client_group = AppGroup("client", help="Register, look at and stop clients.")

_EXPECTED = "It must hold one client's RFC 7591 metadata as a JSON object."


def tell(client: RegisteredClient, *, as_json: bool, done: str) -> None:
    """Say what was done to a client, or print its registration."""
    if as_json:
        print_json(describe_client(client))
    else:
        print_line(f"Client {client.client_id} {done}.")


def _warn_of_shortcomings(client: RegisteredClient) -> None:
    """Say if a client can do nothing, or has something for nothing: nobody would notice before it fails."""
    try:
        shortcomings = current_state().overviews.find_shortcomings(client)
    except (StoreUnavailable, UnknownClient):  # the client is registered all the same
        return
    for shortcoming in shortcomings:
        print_note(f"{shortcoming}.")


def _metadata_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of ``add`` and ``update``."""
    for option in (
        json_option("Print the registration as JSON."),
        click.option("--certificate", metavar="PATH", help="The client's X.509 certificate (PEM or base64 DER)."),
        click.option("--kid", help="The name of the certificate's key; default: its SHA-1 thumbprint in hex."),
        click.option("--name", "client_name", help="client_name"),
        click.option(
            "--redirect-uri",
            "redirect_uris",
            metavar="URI",
            multiple=True,
            help="redirect_uris: where the answer to an authorization request may go. Repeatable.",
        ),
        click.option(
            "--grant-type",
            "grant_types",
            metavar="NAME",
            multiple=True,
            help="grant_types: authorization_code, refresh_token, client_credentials (the default) … Repeatable.",
        ),
        click.option(
            "--native",
            "application_type",
            flag_value="native",
            help="application_type native: a program on a person's own device.",
        ),
        click.option(
            "--web", "application_type", flag_value="web", help="application_type web: an application on a server."
        ),
        click.option(
            "--public",
            "token_endpoint_auth_method",
            flag_value=PUBLIC,
            help="token_endpoint_auth_method none: it has no keys, because it runs where nobody can keep one secret.",
        ),
        click.option("--scope", help="scope: what the client may ask for, space separated."),
        click.option("--default-scope", help="default_scope: what it gets when it asks for none."),
        click.option("--dpop/--no-dpop", "dpop_bound_access_tokens", default=None, help="dpop_bound_access_tokens"),
        click.option(
            "--assertion-audience",
            type=click.Choice(["issuer", "compatibility"]),
            help="compatibility: also accept the endpoint's URL as aud. For clients that cannot sign for the issuer.",
        ),
        click.option(
            "--introspection-resource",
            "introspection_resources",
            metavar="URI",
            multiple=True,
            help="introspection_resources: it is this resource server and may introspect its tokens. Repeatable.",
        ),
        click.option("--owner", help="Who answers for the client."),
    ):
        command = option(command)
    return command


def _collect(
    file: BinaryIO | None, certificate: str | None, kid: str | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The metadata from the file, the options and the certificate; prints a note for each unknown member."""
    check_kid(kid, certificate)
    metadata = {} if file is None else read_object(file, expected=_EXPECTED)
    # click gives a tuple for an option that may repeat; it is empty if the option is absent.
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    metadata.update({name: value for name, value in given.items() if value is not None and value != []})
    for member in unknown_members(metadata):
        print_note(f"{member} is not a member this server knows; it is ignored.")
    return metadata if certificate is None else {**metadata, "jwks": {"keys": [read_certificate(certificate, kid)]}}


@client_group.command("add")
@click.argument("file", type=TEXT_FILE, required=False)
@click.option("--client-id", help="client_id; made when absent.")
@_metadata_options
def add(file: BinaryIO | None, certificate: str | None, kid: str | None, as_json: bool, **options: Any) -> None:
    """Register a client from FILE (RFC 7591 metadata as JSON; - is standard input), a certificate, or both.

    A client without keys needs neither, but --public. If the client could do nothing, a note says why.
    """
    if file is None and certificate is None and options["token_endpoint_auth_method"] is None:
        give_up("Give a FILE with the client's metadata, or its --certificate; --public if it has no keys.")
    with readable_errors():
        client = current_state().clients.add(_collect(file, certificate, kid, options))
        tell(client, as_json=as_json, done="is registered")
        _warn_of_shortcomings(client)


@client_group.command("update")
@click.argument("client_id")
@click.argument("file", type=TEXT_FILE, required=False)
@click.option("--enable", "enabled", flag_value=True, default=None, type=bool, help="Let a disabled client in again.")
@_metadata_options
def update(
    client_id: str, file: BinaryIO | None, certificate: str | None, kid: str | None, as_json: bool, **options: Any
) -> None:
    """Merge FILE (JSON; null removes a member) and the options into a client's registration."""
    with readable_errors():
        client = current_state().clients.update(client_id, _collect(file, certificate, kid, options))
        tell(client, as_json=as_json, done="is updated, from its next request on")
        _warn_of_shortcomings(client)


@client_group.command("show")
@click.argument("client_id")
@json_option("Accepted for symmetry; the output is JSON anyway.")
def show(client_id: str, as_json: bool) -> None:
    """Print one client's registration as JSON; `client add` takes it back."""
    with readable_errors():
        print_json(describe_client(current_state().clients.get(client_id)))


@client_group.command("disable")
@click.argument("client_id")
@json_option("Print the registration as JSON.")
def disable(client_id: str, as_json: bool) -> None:
    """Refuse a client from its next request on; `client update ID --enable` undoes it."""
    with readable_errors():
        client = current_state().clients.disable(client_id)
    tell(client, as_json=as_json, done="is disabled")


@client_group.command("vouch")
@click.argument("client_id")
@click.option("--withdraw", is_flag=True, help="Stand behind it no longer.")
@json_option("Print the registration as JSON.")
def vouch(client_id: str, withdraw: bool, as_json: bool) -> None:
    """Treat a client that registered itself as your own, from its next request on."""
    with readable_errors():
        client = current_state().clients.vouch(client_id, vouched=not withdraw)
    treated_as = "a client that registered itself" if withdraw else "your own"
    tell(client, as_json=as_json, done=f"is treated as {treated_as}")


@client_group.command("refetch")
@click.argument("client_id")
@json_option("Print the registration as JSON.")
def refetch(client_id: str, as_json: bool) -> None:
    """Fetch a client's jwks_uri anew at its next request, e.g. once it has taken out a stolen key."""
    with readable_errors():
        client = current_state().clients.refetch_keys(client_id)
    if client.jwks_uri is None:
        give_up(f"Client {client_id} has no jwks_uri: its keys are in its registration.")
    tell(client, as_json=as_json, done="has its keys fetched at its next request")


@client_group.command("remove")
@click.argument("client_id")
@yes_option
@json_option("Print what was removed as JSON.")
def remove(client_id: str, yes: bool, as_json: bool) -> None:
    """Delete a client's registration, revoke its tokens, and forget what people allowed it."""
    with readable_errors():
        client = current_state().clients.get(client_id)
        grants = count(len(current_state().refresh_tokens.find_grants(Holder(client_id=client_id))), "grant")
        ask_first(
            f"Client {client_id} is removed with its keys; its tokens are revoked, and {grants} of people. Go on?",
            yes=yes,
        )
        current_state().clients.remove(client_id)
    tell(client, as_json=as_json, done="is removed")
