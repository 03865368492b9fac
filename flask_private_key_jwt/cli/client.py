"""``flask oauth2 client …``: register, look at and stop clients."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

import click
from flask.cli import AppGroup

from .. import clock
from ..client_registry import UnknownClient
from ..errors import InvalidClientMetadata, StoreUnavailable
from ..keys.certificates import jwk_of, load_certificate
from ..keys.jose import JoseProblem, load_json_object
from ..registered_client import RegisteredClient
from ..registration import describe_client, unknown_members
from ..state import current_state

client_group = AppGroup("client", help="Register, look at and stop clients.")

_MAX_FILE_BYTES = 1 << 20
# Windows tools open a text with a byte order mark.
_FILE = click.File("r", encoding="utf-8-sig")


def _give_up(message: str) -> NoReturn:
    """End with exit code 2 and one sentence."""
    click.echo(f"Error: {message}", err=True)
    sys.exit(2)


@contextmanager
def _readable_errors() -> Iterator[None]:
    try:
        yield
    except InvalidClientMetadata as error:
        _give_up(f"{error.reason}.")
    except UnknownClient as error:
        _give_up(str(error))
    except StoreUnavailable as error:
        _give_up(f"The database did not answer: {error.reason}. Has `flask db upgrade` been run?")


def _read_metadata(file: TextIO | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        text = file.read(_MAX_FILE_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        _give_up(f"{file.name} cannot be read as text: {error}.")
    if len(text) > _MAX_FILE_BYTES:
        _give_up(f"{file.name} is larger than {_MAX_FILE_BYTES} bytes.")
    try:
        return load_json_object(text, "file")
    except JoseProblem as problem:
        _give_up(f"{file.name}: {problem}. It must hold one client's RFC 7591 metadata as a JSON object.")


def _with_certificate(metadata: Mapping[str, Any], certificate: str | None) -> dict[str, Any]:
    """Put a certificate's key into the metadata, in place of a ``jwks``."""
    if certificate is None:
        return dict(metadata)
    try:
        with open(certificate, "rb") as file:
            loaded = load_certificate(file.read(_MAX_FILE_BYTES))
    except OSError as error:
        _give_up(f"{certificate} cannot be read: {error.strerror}.")
    except JoseProblem as problem:
        _give_up(f"{certificate}: {problem}. It must be one certificate, as PEM or base64 DER.")
    if not loaded.is_current(clock.now()):
        click.echo(f"Note: {certificate} is expired or not valid yet; it authenticates nobody now.", err=True)
    return {**metadata, "jwks": {"keys": [jwk_of(loaded)]}}


def _tell(client: RegisteredClient, *, as_json: bool, done: str) -> None:
    if as_json:
        click.echo(json.dumps(describe_client(client), indent=2))
    else:
        click.echo(f"Client {client.client_id} {done}.")


def _metadata_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the registration as JSON."),
        click.option("--certificate", metavar="PATH", help="The client's X.509 certificate (PEM or base64 DER)."),
        click.option("--name", "client_name", help="client_name"),
        click.option("--scope", help="scope: what the client may ask for, space separated."),
        click.option("--default-scope", help="default_scope: what it gets when it asks for none."),
        click.option("--dpop/--no-dpop", "dpop_bound_access_tokens", default=None, help="dpop_bound_access_tokens"),
        click.option(
            "--assertion-audience",
            type=click.Choice(["issuer", "compatibility"]),
            help="compatibility: also accept the endpoint's URL as aud. For clients that cannot sign for the issuer.",
        ),
        click.option("--owner", help="Who answers for the client."),
    ):
        command = option(command)
    return command


def _collect(file: TextIO | None, certificate: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    metadata = _read_metadata(file)
    metadata.update({name: value for name, value in options.items() if value is not None})
    for member in unknown_members(metadata):
        click.echo(f"Note: {member} is not a member this server knows; it is ignored.", err=True)
    return _with_certificate(metadata, certificate)


@client_group.command("add")
@click.argument("file", type=_FILE, required=False)
@click.option("--client-id", help="client_id; made when absent.")
@_metadata_options
def add(file: TextIO | None, certificate: str | None, as_json: bool, **options: Any) -> None:
    """Register a client from FILE (RFC 7591 metadata as JSON; - is standard input), a certificate, or both."""
    if file is None and certificate is None:
        _give_up("Give a FILE with the client's metadata, or its --certificate.")
    with _readable_errors():
        client = current_state().clients.add(_collect(file, certificate, options))
    _tell(client, as_json=as_json, done="is registered")


@client_group.command("update")
@click.argument("client_id")
@click.argument("file", type=_FILE, required=False)
@click.option("--enable", "enabled", flag_value=True, default=None, type=bool, help="Let a disabled client in again.")
@_metadata_options
def update(client_id: str, file: TextIO | None, certificate: str | None, as_json: bool, **options: Any) -> None:
    """Merge FILE (JSON; null removes a member) and the options into a client's registration."""
    with _readable_errors():
        client = current_state().clients.update(client_id, _collect(file, certificate, options))
    _tell(client, as_json=as_json, done="is updated, from its next request on")


@client_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the registrations as JSON.")
def list_clients(as_json: bool) -> None:
    """List the clients, a line each."""
    with _readable_errors():
        clients = current_state().clients.all()
    if as_json:
        click.echo(json.dumps([describe_client(client) for client in clients], indent=2))
        return
    for client in clients:
        binding = "DPoP" if client.dpop_bound_access_tokens else "Bearer or DPoP"
        state = "" if client.enabled else "  disabled"
        click.echo(f"{client.client_id}  [{binding}]  {' '.join(sorted(client.scope))}{state}")


@client_group.command("show")
@click.argument("client_id")
@click.option("--json", "as_json", is_flag=True, help="Accepted for symmetry; the output is JSON anyway.")
def show(client_id: str, as_json: bool) -> None:
    """Print one client's registration as JSON; `client add` takes it back."""
    with _readable_errors():
        click.echo(json.dumps(describe_client(current_state().clients.get(client_id)), indent=2))


@client_group.command("disable")
@click.argument("client_id")
@click.option("--json", "as_json", is_flag=True, help="Print the registration as JSON.")
def disable(client_id: str, as_json: bool) -> None:
    """Refuse a client from its next request on; `client update ID --enable` undoes it."""
    with _readable_errors():
        client = current_state().clients.disable(client_id)
    _tell(client, as_json=as_json, done="is disabled")


@client_group.command("remove")
@click.argument("client_id")
@click.option("--json", "as_json", is_flag=True, help="Print what was removed as JSON.")
def remove(client_id: str, as_json: bool) -> None:
    """Delete a client's registration."""
    with _readable_errors():
        client = current_state().clients.get(client_id)
        current_state().clients.remove(client_id)
    _tell(client, as_json=as_json, done="is removed")
