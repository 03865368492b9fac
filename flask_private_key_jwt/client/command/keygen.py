"""``private-key-jwt keygen``: make a key pair."""

import os
from pathlib import Path

import click

from ...errors import ConfigurationError
from ...jose import jose
from ...settings.values import ASYMMETRIC_ALGS
from ..keygen import CertificateWish, build_key_files, make_key, write_key_files
from .output import note, show
from .program import ClientCommand


@click.command("keygen", cls=ClientCommand)
@click.option(
    "--alg",
    type=click.Choice(ASYMMETRIC_ALGS),
    metavar="ALG",
    default="ES256",
    show_default=True,
    help="What it signs with.",
)
@click.option("--bits", type=int, metavar="N", help=f"Size of an RSA key; default: {jose.RSA_MIN_BITS}.")
@click.option("--out", default="client", show_default=True, metavar="PREFIX", help="Beginning of the files' names.")
@click.option("--certificate", is_flag=True, help="Also make a self-signed certificate.")
@click.option("--common-name", metavar="NAME", help="Whom the certificate names; default: the PREFIX.")
@click.option("--days", type=int, default=365, show_default=True, metavar="N", help="How long it is valid.")
@click.option("--password", is_flag=True, help="Encrypt the private key; asks for the password.")
@click.option("--password-env", metavar="VARIABLE", help="The same, with the password in the environment.")
def keygen_command(
    alg: str,
    bits: int | None,
    out: str,
    certificate: bool,
    common_name: str | None,
    days: int,
    password: bool,
    password_env: str | None,
) -> None:
    """Make a key pair and write its files; none is ever overwritten.

    The private key stays on this machine; the server's operator gets PREFIX.registration.json.
    """
    key = make_key(alg, bits)
    wish = CertificateWish(common_name or Path(out).name, days) if certificate else None
    files = build_key_files(out, key, password=_find_password(password, password_env), certificate=wish)
    write_key_files(files)
    width = max(len(str(file.path)) for file in files)
    show(
        {
            "kid": key.public.thumbprint,
            "alg": key.alg,
            "files": [{"path": str(file.path), "meaning": file.meaning} for file in files],
        },
        [
            f"Made a key for {key.alg}, kid {key.public.thumbprint}:",
            *(f"  {file.path!s:{width}}  {file.meaning}" for file in files),
        ],
    )
    note(f"Next, where the server runs: flask oauth2 client add {files[-1].path} --client-id CLIENT_ID --scope SCOPE")


def _find_password(asks: bool, variable: str | None) -> str | None:
    if asks and variable:
        raise click.UsageError("--password and --password-env say the same: give one.")
    if asks:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt="Once more", err=True))
    if variable is None:
        return None
    if not (password := os.environ.get(variable)):
        raise ConfigurationError("The password is empty.")
    return password
