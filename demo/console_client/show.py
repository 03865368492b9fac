"""What a person sees, in colour where the terminal has it."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.json import JSON
from rich.text import Text

from .caller import Exchange
from .jwt import decode_unverified

PART_COLOURS = ("red", "magenta", "cyan")
"""Header, payload and signature of a JWT."""
PART_CHARACTERS = 12
SECRETS = frozenset({"code", "code_verifier", "refresh_token", "token"})
"""Other members that are secret and are no JWTs."""
NARROWEST_NAME = 12


class Show:
    """Prints steps, messages and tokens.

    :param full: Whether tokens and codes are printed whole; otherwise their start, of a JWT that of each part.
    """

    def __init__(self, *, full: bool = False) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._full = full

    def title(self, text: str) -> None:
        """Begin a client or an attack."""
        self._console.print(f"\n{text}\n{'─' * min(len(text), self._console.width)}", style="bold blue", markup=False)

    def step(self, text: str) -> None:
        """Begin a step."""
        self._console.print(f"\n{text}", style="bold yellow", markup=False)

    def note(self, text: str) -> None:
        """Say what there is to see."""
        self._console.print(f"  {text}", style="dim", markup=False)

    def good(self, text: str) -> None:
        """Say that something went as it must."""
        self._console.print(f"  ✓ {text}", style="bold green", markup=False)

    def bad(self, text: str) -> None:
        """Say that something did not."""
        self._console.print(f"  ✗ {printable(text)}", style="bold red", markup=False)

    def data(self, data: Any) -> None:
        """JSON, indented."""
        for line in JSON.from_data(self._shorten_tokens(data), indent=2).text.split("\n"):
            self._console.print(Text("    ") + line)

    def members(self, members: Mapping[str, Any]) -> None:
        """Names and values, one a line."""
        width = max([NARROWEST_NAME, *map(len, members)])
        for name, value in members.items():
            shown = shorten(value) if name in SECRETS and not self._full else value
            self._console.print(Text.assemble((f"  {name:{width}}  ", "blue"), self._text_of(shown)))

    def jwt(self, what: str, token: str) -> None:
        """A JWT as it is sent, and what stands in it."""
        header, claims = decode_unverified(token)
        self._console.print(Text(f"  {what} ") + self._text_of(token))
        self._console.print(Text("  header", style="blue"))
        self.data(header)
        self._console.print(Text("  claims", style="blue"))
        self.data(claims)

    def exchange(self, exchange: Exchange) -> None:
        """A request as it was sent, and its answer."""
        self.request(exchange)
        self.answer(exchange)

    def request(self, exchange: Exchange) -> None:
        """A request as it was sent."""
        self._console.print(Text(f"→ {exchange.method} {exchange.url}", style="bold"))
        self.members({**{f"{name}:": value for name, value in exchange.headers.items()}, **exchange.form})
        if exchange.after_nonce:
            self.note(
                "(sent a second time: the first answer was use_dpop_nonce, with the nonce that is now in the proof)"
            )

    def answer(self, exchange: Exchange) -> None:
        """The answer to a request."""
        style = "bold green" if exchange.status < 400 else "bold red"
        self._console.print(Text(f"← {exchange.status}", style=style))
        if "WWW-Authenticate" in exchange.answer_headers:
            self.members({"WWW-Authenticate:": exchange.answer_headers["WWW-Authenticate"]})
        if exchange.body is not None:
            self.data(exchange.body)

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


def printable(text: str) -> str:
    """Foreign text for a terminal, without control characters, which the terminal would execute."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def is_jwt(value: object) -> bool:
    """Whether this looks like a signed JWT: three parts, the first of them JSON."""
    return isinstance(value, str) and value.startswith("eyJ") and value.count(".") == 2


def shorten(token: str) -> str:
    """The start of a token; of a JWT that of each of its three parts."""
    return ".".join(part if len(part) <= PART_CHARACTERS else f"{part[:PART_CHARACTERS]}…" for part in token.split("."))
