"""Request headers whose ``Authorization`` only the auth object can set, and which give every attempt a new proof."""

from collections.abc import Callable, ItemsView
from typing import Self

from requests.structures import CaseInsensitiveDict

Prove = Callable[[], str]
"""Makes a new DPoP proof for one attempt to send the request."""


class TokenHeaders(CaseInsensitiveDict[str]):
    """Headers that keep their token, and never send one proof twice.

    When ``requests`` follows a redirect, it replaces the ``Authorization`` header with the password that ``~/.netrc``
    has for the host, without calling the auth object. These headers ignore that.

    When an adapter sends a request again by itself (urllib3's ``Retry``, after a lost connection or a 503), it does not
    call the auth object either, and the server would refuse the used proof (RFC 9449 §11.1). But it reads the headers
    with :meth:`items` for each attempt, so :meth:`items` replaces a proof that was sent before.
    """

    _prove: Prove | None = None
    _is_spent = False
    """Whether the current proof may have been sent."""

    def authorize(self, value: str, prove: Prove | None = None) -> None:
        """Set ``Authorization``, and with *prove* also ``DPoP``."""
        super().__setitem__("Authorization", value)
        self._prove = prove
        if prove is not None:
            self._renew(prove)

    def items(self) -> ItemsView[str, str]:
        """The headers for one more attempt."""
        if self._prove is not None and self._is_spent:
            self._renew(self._prove)
        self._is_spent = True
        return super().items()

    def __setitem__(self, name: str, value: str) -> None:
        if name.lower() != "authorization" or name not in self:
            super().__setitem__(name, value)

    def __repr__(self) -> str:
        return str(dict(super().items()))  # not self.items(): showing the headers must not spend the proof

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, str]]]:
        return type(self), (dict(super().items()),)  # without _prove, which holds the key

    def copy(self) -> Self:
        """A copy of this class: ``requests`` makes one to follow a redirect, urllib3 for each attempt.

        The copy gets the proof if it was not sent yet; if the original is sent after all, it makes a new proof.
        """
        copied = type(self)(super().items())
        copied._prove, copied._is_spent = self._prove, self._is_spent
        self._is_spent = True
        return copied

    def _renew(self, prove: Prove) -> None:
        super().__setitem__("DPoP", prove())
        self._is_spent = False
