"""``private-key-jwt decode``: what a JWT says."""

from collections.abc import Mapping
from typing import Any

import click

from ... import clock
from ...errors import ConfigurationError
from ...jose import jose
from .options import is_on_command_line, read_token_argument
from .output import show, warn
from .program import ClientCommand
from .words import describe, find_time, name_kind, show_distance, show_time

NOT_CHECKED = "The signature is not checked: anybody can have written this."
_JWE_PARTS = 5


@click.command("decode", cls=ClientCommand)
@click.argument("token", default="-")
def decode_command(token: str) -> None:
    """Show what a JWT says, in words. Its signature is not checked.

    TOKEN is the JWT, the path of a file, or - for standard input (the default).
    """
    text = read_token_argument(token)
    header, claims = _decode(text)
    now = clock.now()
    warn(NOT_CHECKED)
    if is_on_command_line(token):
        warn("Other users of this machine can read command lines. Standard input is safer for tokens that count.")
    members = {
        "warning": NOT_CHECKED,
        "kind": name_kind(header, claims),
        "header": header,
        "claims": claims,
        "times": _list_times(claims, now=now),
    }
    lines = [
        f"This is {name_kind(header, claims)}. Signature: NOT CHECKED.",
        "",
        "Header",
        *describe(header, now=now),
        "",
        "Claims",
        *describe(claims, now=now),
        "",
        _say_whether_it_counts(claims, now=now),
    ]
    show(members, lines)


def _decode(text: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if text.count(".") == _JWE_PARTS - 1:
        raise ConfigurationError("That JWT is encrypted (JWE): only the holder of the key can read it.")
    try:
        return jose.decode_unverified(text)
    except jose.JoseProblem as problem:
        raise ConfigurationError(f"That is no JWT: {problem}. Not every token is one.") from None


def _list_times(claims: Mapping[str, Any], *, now: int) -> dict[str, dict[str, str]]:
    found = {name: find_time(name, value) for name, value in claims.items()}
    return {
        name: {"utc": show_time(moment), "from_now": show_distance(moment, now=now)}
        for name, moment in found.items()
        if moment is not None
    }


def _say_whether_it_counts(claims: Mapping[str, Any], *, now: int) -> str:
    expires, begins = find_time("exp", claims.get("exp")), find_time("nbf", claims.get("nbf"))
    if expires is not None and now >= expires:
        return f"It expired {show_distance(expires, now=now)}."
    if begins is not None and now < begins:
        return f"It does not count yet: it begins {show_distance(begins, now=now)}."
    if expires is None:
        return "It does not say when it expires."
    return f"It expires {show_distance(expires, now=now)}, by the clock of this machine."
