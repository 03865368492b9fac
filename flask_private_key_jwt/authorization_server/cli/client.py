"""``flask oauth2 client …``: register, show, change and stop clients."""

import json
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import click
from flask.cli import AppGroup

from ..readable_text import escape_unprintable
from ..registered_client import RegisteredClient
from ..registration.metadata import describe_client, unknown_members
from ..state import current_state
from .input import TEXT_FILE, check_kid, give_up, read_certificate, read_object, readable_errors

client_group = AppGroup("client", help="Register, look at and stop clients.")

_EXPECTED = "It must hold one client's RFC 7591 metadata as a JSON object."


def tell(client: RegisteredClient, *, as_json: bool, done: str) -> None:
    """Say what was done to a client, or print its registration."""
    if as_json:
        click.echo(json.dumps(describe_client(client), indent=2))
    else:
        click.echo(f"Client {escape_unprintable(client.client_id)} {done}.")


def _metadata_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of ``add`` and ``update``."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the registration as JSON."),
        click.option("--certificate", metavar="PATH", help="The client's X.509 certificate (PEM or base64 DER)."),
        click.option("--kid", help="The name of the certificate's key; default: its SHA-1 thumbprint in hex."),
        click.option("--name", "client_name", help="client_name"),
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
        click.echo(f"Note: {escape_unprintable(member)} is not a member this server knows; it is ignored.", err=True)
    return metadata if certificate is None else {**metadata, "jwks": {"keys": [read_certificate(certificate, kid)]}}


@client_group.command("add")
@click.argument("file", type=TEXT_FILE, required=False)
@click.option("--client-id", help="client_id; made when absent.")
@_metadata_options
def add(file: BinaryIO | None, certificate: str | None, kid: str | None, as_json: bool, **options: Any) -> None:
    """Register a client from FILE (RFC 7591 metadata as JSON; - is standard input), a certificate, or both."""
    if file is None and certificate is None:
        give_up("Give a FILE with the client's metadata, or its --certificate.")
    with readable_errors():
        client = current_state().clients.add(_collect(file, certificate, kid, options))
    tell(client, as_json=as_json, done="is registered")


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


@client_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the registrations as JSON.")
def list_clients(as_json: bool) -> None:
    """List the clients, a line each."""
    with readable_errors():
        clients = current_state().clients.all()
    if as_json:
        click.echo(json.dumps([describe_client(client) for client in clients], indent=2))
        return
    for client in clients:
        binding = "DPoP" if client.dpop_bound_access_tokens else "Bearer or DPoP"
        state = "" if client.enabled else "  disabled"
        origin = "" if client.registered_by == "operator" else "  registered itself"
        line = f"{client.client_id}  [{binding}]  {' '.join(sorted(client.scope))}{origin}{state}"
        click.echo(escape_unprintable(line))  # rows that other programs wrote may contain anything


@client_group.command("show")
@click.argument("client_id")
@click.option("--json", "as_json", is_flag=True, help="Accepted for symmetry; the output is JSON anyway.")
def show(client_id: str, as_json: bool) -> None:
    """Print one client's registration as JSON; `client add` takes it back."""
    with readable_errors():
        click.echo(json.dumps(describe_client(current_state().clients.get(client_id)), indent=2))


@client_group.command("disable")
@click.argument("client_id")
@click.option("--json", "as_json", is_flag=True, help="Print the registration as JSON.")
def disable(client_id: str, as_json: bool) -> None:
    """Refuse a client from its next request on; `client update ID --enable` undoes it."""
    with readable_errors():
        client = current_state().clients.disable(client_id)
    tell(client, as_json=as_json, done="is disabled")


@client_group.command("vouch")
@click.argument("client_id")
@click.option("--withdraw", is_flag=True, help="Stand behind it no longer.")
@click.option("--json", "as_json", is_flag=True, help="Print the registration as JSON.")
def vouch(client_id: str, withdraw: bool, as_json: bool) -> None:
    """Treat a client that registered itself as your own, from its next request on."""
    with readable_errors():
        client = current_state().clients.vouch(client_id, vouched=not withdraw)
    treated_as = "a client that registered itself" if withdraw else "your own"
    tell(client, as_json=as_json, done=f"is treated as {treated_as}")


@client_group.command("refetch")
@click.argument("client_id")
@click.option("--json", "as_json", is_flag=True, help="Print the registration as JSON.")
def refetch(client_id: str, as_json: bool) -> None:
    """Fetch a client's jwks_uri anew at its next request, e.g. once it has taken out a stolen key."""
    with readable_errors():
        client = current_state().clients.refetch_keys(client_id)
    if client.jwks_uri is None:
        give_up(f"Client {client_id} has no jwks_uri: its keys are in its registration.")
    tell(client, as_json=as_json, done="has its keys fetched at its next request")


@client_group.command("remove")
@click.argument("client_id")
@click.option("--json", "as_json", is_flag=True, help="Print what was removed as JSON.")
def remove(client_id: str, as_json: bool) -> None:
    """Delete a client's registration."""
    with readable_errors():
        client = current_state().clients.get(client_id)
        current_state().clients.remove(client_id)
    tell(client, as_json=as_json, done="is removed")
