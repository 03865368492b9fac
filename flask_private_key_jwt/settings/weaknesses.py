"""What settings may open, weaken or leave out: the log names it at the start, ``flask oauth2 doctor`` at any time."""

from dataclasses import dataclass

from .server import ServerSettings
from .values import ANY_HOST


@dataclass(frozen=True, slots=True)
class Weakness:
    """One weakness that settings can have."""

    setting: str
    """The setting that decides, without ``OAUTH2_``."""
    sentence: str
    """What it means, without a full stop."""
    change: str
    """How it ends, as a sentence."""
    is_there: bool
    """Whether these settings have it."""


def find_weaknesses(settings: ServerSettings) -> tuple[str, ...]:
    """What *settings* open, weaken or leave out: whole sentences, without a full stop."""
    return tuple(weakness.sentence for weakness in list_weaknesses(settings) if weakness.is_there)


def list_weaknesses(settings: ServerSettings) -> tuple[Weakness, ...]:
    """Every weakness there can be, and whether *settings* have it."""
    return (
        Weakness(
            "CLIENT_ID_HOSTS",
            f'OAUTH2_CLIENT_ID_HOSTS is ["{ANY_HOST}"]: anybody with a web site can be a client here',
            "Name the hosts whose clients you know, if you know them.",
            settings.CLIENT_ID_METADATA_DOCUMENTS and settings.takes_any_document,
        ),
        Weakness(
            "LOCALHOST_CLIENT_IDS",
            "OAUTH2_LOCALHOST_CLIENT_IDS is on: any program on a person's own device can be a client here",
            "Switch it off where nobody develops clients.",
            settings.LOCALHOST_CLIENT_IDS,
        ),
        Weakness(
            "PUBLIC_BEARER_TOKENS",
            "OAUTH2_PUBLIC_BEARER_TOKENS is on: whoever steals a token of a public client can use it",
            "Switch it off if your public clients send DPoP proofs.",
            settings.PUBLIC_BEARER_TOKENS,
        ),
        Weakness(
            "CLIENT_SECRETS_UNTIL",
            f"OAUTH2_CLIENT_SECRETS_UNTIL is {settings.CLIENT_SECRETS_UNTIL}: until then clients may authenticate with "
            "shared secrets, which can be stolen from either side",
            "Leave it out as soon as no client needs its secret: flask oauth2 client secrets.",
            settings.CLIENT_SECRETS_UNTIL is not None,
        ),
        Weakness(
            "RESOURCES",
            "OAUTH2_RESOURCES is not set: a request that names an MCP server, as every MCP client's does, is refused",
            "Name your MCP servers in OAUTH2_RESOURCES.",
            settings.PROFILE == "mcp" and not settings.RESOURCES,
        ),
    )
