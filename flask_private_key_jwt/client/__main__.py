"""``python -m flask_private_key_jwt.client keygen``: a client's machine has no Flask app for a ``flask`` command."""

import argparse
import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import ConfigurationError
from ..jose import jose
from ..settings.values import ASYMMETRIC_ALGS
from .key import load_key
from .keygen import CertificateWish, build_key_files, make_key, write_key_files

PROGRAM = "python -m flask_private_key_jwt.client"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    :return: The exit code: 0, or 2 after one sentence on standard error.
    """
    options = build_parser().parse_args(arguments)
    try:
        _keygen(options)
    except ConfigurationError as error:
        print(f"keygen: error: {error}", file=sys.stderr)
        return 2
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(PROGRAM, description="The client's side of private_key_jwt.")
    keygen = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "keygen", help="make a key pair", description="Make a key pair and write its files; none is ever overwritten."
    )
    keygen.add_argument("--alg", default="ES256", choices=ASYMMETRIC_ALGS, help="what it signs with (default: ES256)")
    keygen.add_argument("--bits", type=int, metavar="N", help="size of an RSA key (default: 2048)")
    keygen.add_argument("--out", default="client", metavar="PREFIX", help="beginning of the files' names (client)")
    keygen.add_argument("--certificate", action="store_true", help="also make a self-signed certificate")
    keygen.add_argument("--common-name", metavar="NAME", help="whom the certificate names (default: the PREFIX)")
    keygen.add_argument("--days", type=int, default=365, metavar="N", help="how long it is valid (default: 365)")
    # Never as an argument: every user of the machine can read the command line.
    password = keygen.add_mutually_exclusive_group()
    password.add_argument("--password", action="store_true", help="encrypt the private key; asks for the password")
    password.add_argument("--password-env", metavar="VARIABLE", help="the same, with the password in the environment")
    return parser


def _keygen(options: argparse.Namespace) -> None:
    key = make_key(options.alg, options.bits)
    wish = CertificateWish(options.common_name or Path(options.out).name, options.days) if options.certificate else None
    files = build_key_files(options.out, key, password=_find_password(options), certificate=wish)
    write_key_files(files)
    width = max(len(str(file.path)) for file in files)
    print(f"Made a key for {options.alg}, kid {key.public.thumbprint}:")
    for file in files:
        print(f"  {file.path!s:{width}}  {file.meaning}")
    print(
        "\nNext, where the token server runs:\n"
        f"  flask oauth2 client add {files[-1].path} --client-id CLIENT_ID --scope SCOPE\n"
        "\nThen, in the client:\n"
        f"  PrivateKeyJWTAuth(ISSUER, CLIENT_ID, key={str(files[0].path)!r}{_alg_argument(key)}, resource=API)"
    )


def _find_password(options: argparse.Namespace) -> str | None:
    if options.password:
        password = getpass.getpass("Password: ")
        if password != getpass.getpass("Once more: "):
            raise ConfigurationError("The two passwords differ.")
    elif options.password_env:
        password = os.environ.get(options.password_env, "")
    else:
        return None
    if not password:
        raise ConfigurationError("The password is empty.")
    return password


def _alg_argument(key: jose.PrivateKey) -> str:
    # A PEM file does not say which algorithm an RSA key is for.
    return "" if load_key(key.as_pem()).alg == key.alg else f", alg={key.alg!r}"


if __name__ == "__main__":
    sys.exit(main())
