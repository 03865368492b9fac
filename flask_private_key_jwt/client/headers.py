"""Request headers whose ``Authorization`` only the auth object sets, with a proof of their own for every send."""

from collections.abc import Callable, ItemsView
from typing import Self

from requests.structures import CaseInsensitiveDict

Prove = Callable[[], str]
"""Makes a new DPoP proof for one send of the request."""


class TokenHeaders(CaseInsensitiveDict[str]):
    """Headers that keep their token, and never show one proof twice.

    When it follows a redirect, ``requests`` puts the password that ``~/.netrc`` has for the host over the
    ``Authorization`` header, and asks no auth object. Here that has no effect.

    When an adapter sends a request again by itself (urllib3's ``Retry``, after a lost connection or a 503), it asks no
    auth object either, and the server would find the proof used (RFC 9449 §11.1). But it writes the headers anew for
    each send, and asks for them by :meth:`items`: that is where a proof that went out is replaced.
    """

    _prove: Prove | None = None
    _is_spent = False
    """Whether the proof that is there may have been sent."""

    def authorize(self, value: str, prove: Prove | None = None) -> None:
        """Set ``Authorization``, and ``DPoP`` where there is something to *prove*."""
        super().__setitem__("Authorization", value)
        self._prove = prove
        if prove is not None:
            self._renew(prove)

    def items(self) -> ItemsView[str, str]:
        """The headers for one more send."""
        if self._prove is not None and self._is_spent:
            self._renew(self._prove)
        self._is_spent = True
        return super().items()

    def __setitem__(self, name: str, value: str) -> None:
        if name.lower() != "authorization" or name not in self:
            super().__setitem__(name, value)

    def __repr__(self) -> str:
        return str(dict(super().items()))  # looking is not sending

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, str]]]:
        return type(self), (dict(super().items()),)  # without what makes proofs: that holds the key

    def copy(self) -> Self:
        """The same headers, of this kind: for the request that follows a redirect, and for each send by urllib3.

        The copy takes over a proof that was not sent yet; if the original is sent after all, it makes another.
        """
        copied = type(self)(super().items())
        copied._prove, copied._is_spent = self._prove, self._is_spent
        self._is_spent = True
        return copied

    def _renew(self, prove: Prove) -> None:
        super().__setitem__("DPoP", prove())
        self._is_spent = False
