"""Request headers whose ``Authorization`` only the auth object sets."""

from typing import Self

from requests.structures import CaseInsensitiveDict


class TokenHeaders(CaseInsensitiveDict[str]):
    """Headers that keep their token.

    When it follows a redirect, ``requests`` puts the password that ``~/.netrc`` has for the host over the
    ``Authorization`` header, and asks no auth object. Here that has no effect.
    """

    def authorize(self, value: str) -> None:
        """Set ``Authorization``."""
        super().__setitem__("Authorization", value)

    def __setitem__(self, name: str, value: str) -> None:
        if name.lower() != "authorization" or name not in self:
            super().__setitem__(name, value)

    def copy(self) -> Self:
        """As every request that follows a redirect is made: with these headers, of this kind."""
        return type(self)(self.items())
