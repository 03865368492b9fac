"""What a person sees, in colour where the terminal has it."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from rich.console import Console
from rich.json import JSON
from rich.text import Text

from .caller import Exchange
from .jwt import decode_unverified

PART_COLOURS = ("red", "magenta", "cyan")
"""Header, payload and signature of a JWT."""
PART_CHARACTERS = 12
SECRETS = frozenset({"code", "code_verifier", "refresh_token", "request_uri", "token"})
"""Other members that are secret and are no JWTs."""
NARROWEST_NAME = 12
NARROWEST = 24
"""Columns for a text, however narrow the terminal is."""
_URN = re.compile(r"urn:(?:[a-z0-9_-]+:)+")


class Show:
    """Prints steps, messages and tokens.

    :param full: Whether tokens and codes are printed whole; otherwise their start, of a JWT that of each part.
    :param quiet: Whether nothing is printed.
    """

    def __init__(self, *, full: bool = False, quiet: bool = False) -> None:
        self._console = Console(highlight=False, quiet=quiet)
        self._full = full

    def title(self, text: str) -> None:
        """Begin a client or an attack."""
        self._console.print()
        self._print(Text(text, style="bold blue"))
        self._print(Text("─" * min(len(text), self._console.width), style="bold blue"))

    def step(self, text: str) -> None:
        """Begin a step."""
        self._console.print()
        self._print(Text(text, style="bold yellow"))

    def note(self, text: str) -> None:
        """Say what there is to see."""
        self._print(Text(text, style="dim"), "  ")

    def good(self, text: str) -> None:
        """Say that something went as it must."""
        self._print(Text(text, style="bold green"), Text("  ✓ ", style="bold green"))

    def bad(self, text: str) -> None:
        """Say that something did not."""
        self._print(Text(printable(text), style="bold red"), Text("  ✗ ", style="bold red"))

    def address(self, url: str) -> None:
        """An address for a person to open: on a line of its own, from the left, so that a terminal can open it."""
        self._console.print(Text(url), soft_wrap=True)

    def request_url(self, url: str) -> None:
        """An address and its query, one parameter a line."""
        where, _, query = url.partition("?")
        self._print(Text(where), "  ")
        for mark, pair in zip("?" + "&" * query.count("&"), query.split("&"), strict=True):
            name, _, value = pair.partition("=")
            value = unquote(value)
            shown = shorten(value) if name in SECRETS and not self._full else value
            self._print(Text(printable(f"{mark}{name}={shown}")), "    ")

    def data(self, data: Any) -> None:
        """JSON, indented."""
        for line in JSON.from_data(self._shorten_tokens(data), indent=2).text.split("\n"):
            depth = len(line.plain) - len(line.plain.lstrip())
            self._print(line[depth:], " " * (4 + depth))

    def members(self, members: Mapping[str, Any]) -> None:
        """Names and values, one a line."""
        width = max([NARROWEST_NAME, *map(len, members)])
        for name, value in members.items():
            shown = shorten(value) if name in SECRETS and not self._full else value
            self._member(Text(f"  {name:{width}}  ", style="blue"), self._text_of(shown))

    def _member(self, name: Text, value: Text) -> None:
        longest_word = max(map(len, value.plain.split()), default=0)
        if len(name) + longest_word <= self._console.width:
            self._print(value, name)
        else:  # on the next line, where there is room for it
            self._print(name)
            self._print(value, "  ")

    def jwt(self, what: str, token: str) -> None:
        """A JWT as it is sent, and what stands in it."""
        header, claims = decode_unverified(token)
        self._print(Text(f"{what} ") + self._text_of(token), "  ")
        self._print(Text("  header", style="blue"))
        self.data(header)
        self._print(Text("  claims", style="blue"))
        self.data(claims)

    def exchange(self, exchange: Exchange) -> None:
        """A request as it was sent, and its answer."""
        self.request(exchange)
        self.answer(exchange)

    def request(self, exchange: Exchange) -> None:
        """A request as it was sent."""
        self._print(Text(f"{exchange.method} {exchange.url}", style="bold"), Text("→ ", style="bold"))
        self.members({**{f"{name}:": value for name, value in exchange.headers.items()}, **exchange.form})
        if exchange.after_nonce:
            self.note(
                "(sent a second time: the first answer was use_dpop_nonce, with the nonce that is now in the proof)"
            )

    def answer(self, exchange: Exchange) -> None:
        """The answer to a request."""
        style = "bold green" if exchange.status < 400 else "bold red"
        self._print(Text(f"← {exchange.status}", style=style))
        if "WWW-Authenticate" in exchange.answer_headers:
            self.members({"WWW-Authenticate:": exchange.answer_headers["WWW-Authenticate"]})
        if exchange.body is not None:
            self.data(exchange.body)

    def _print(self, text: Text, before: Text | str = "") -> None:
        """Print *text* in as many lines as it needs, each broken between two words.

        :param before: What stands before the first line; the others are indented by as much.
        """
        first = Text(before) if isinstance(before, str) else before
        width = max(NARROWEST, self._console.width - len(first))
        for line in text.divide(find_breaks(text.plain, width)):
            line.rstrip()
            self._console.print(first + line, soft_wrap=True)
            first = Text(" " * len(first))

    def _text_of(self, value: Any) -> Text:
        if isinstance(value, str):
            scheme, _, token = value.rpartition(" ")
            if is_jwt(token):
                return Text(f"{scheme} " if scheme else "") + self._coloured(token)
            return Text(printable(value))
        return Text(", ".join(map(str, value)) if isinstance(value, list) else str(value))

    def _coloured(self, token: str) -> Text:
        shown = token if self._full else shorten(token)
        parts = zip(shown.split("."), PART_COLOURS, strict=True)
        return Text(".").join(Text(part, style=colour) for part, colour in parts)

    def _shorten_tokens(self, data: Any) -> Any:
        if self._full or not isinstance(data, dict):
            return data
        return {
            name: shorten(str(value)) if name in SECRETS or is_jwt(value) else value for name, value in data.items()
        }


def find_breaks(text: str, width: int) -> list[int]:
    """Where the lines after the first begin: each before a word. A word that is longer than a line stays whole."""
    breaks, start = [], 0
    for word in re.finditer(r"\S+", text):
        if word.end() - start > width and word.start() > start:
            start = word.start()
            breaks.append(start)
    return breaks


def printable(text: str) -> str:
    """Foreign text for a terminal, without control characters, which the terminal would execute."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def is_jwt(value: object) -> bool:
    """Whether this looks like a signed JWT: three parts, the first of them JSON."""
    return isinstance(value, str) and value.startswith("eyJ") and value.count(".") == 2


def shorten(token: str) -> str:
    """The start of a token; of a JWT that of each of its three parts, of a URN that of its last."""
    urn = _URN.match(token)
    kept = urn[0] if urn else ""
    parts = token[len(kept) :].split(".")
    return kept + ".".join(part if len(part) <= PART_CHARACTERS else f"{part[:PART_CHARACTERS]}…" for part in parts)
