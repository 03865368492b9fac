"""The codes of one decision. A button may be pressed twice, and nobody knows which answer the browser follows."""

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256

from ... import clock
from ...errors import InteractionRefused, InvalidRequestURI
from ...jose.derived import Secrets
from ...jose.jose import b64url
from ..stores.granted import AuthorizationStore, Granted, StoredCode

CODES_PER_DECISION = 4
"""How many codes a decision may give: the first, and another one for a click after the code before was redeemed."""


class DecidedCodes:
    """Derives the codes of a decision from its token, so that every worker finds the code that another one made.

    :param store: Keeps codes.
    :param secrets: The application's secrets.
    """

    def __init__(self, store: AuthorizationStore, secrets: Secrets) -> None:
        self._store = store
        self._secrets = secrets

    def add(self, decision_token: str, stored: StoredCode, *, request_uri: str | None) -> str:
        """Keep a code of a decision, or find the one that is kept already.

        As long as the first code can be redeemed, every repeat gives the same code. After that a repeat gives the next
        code, because redeeming the first one a second time would revoke its grant.

        :param request_uri: The pushed request that the first code uses.
        :raises InvalidRequestURI: The pushed request was used by something else.
        :raises InteractionRefused: The decision was made before, and its codes are expired or used.
        :raises StoreUnavailable: The database did not answer.
        """
        client_id = stored.granted.client_id
        refused = InteractionRefused("the decision was made before", cause="decision_repeated", client_id=client_id)
        for code, *older in self._derive(decision_token):
            kept = self._find_first(older)  # first: with a code of ours beside it, two would be live
            if kept is None:
                if self._store.add_code(code, stored, reference=request_uri):
                    return code
                kept = self._find_first([code, *older])
            if kept is None:
                raise InvalidRequestURI(
                    "the request_uri was used before", cause="request_uri_used", client_id=client_id
                )
            code, before = kept
            if clock.is_over(before.expires_at):
                raise refused
            if not before.used:
                return code
            # It was decided once: a revocation since then also ends what a repeat gives.
            granted = replace(stored.granted, granted_at=before.granted.granted_at)
            stored, request_uri = replace(stored, granted=granted, expires_at=before.expires_at), None
        raise refused

    def withdraw(self, decision_token: str) -> list[Granted]:
        """Use the codes that a decision gave before, and return what was granted with them.

        :raises StoreUnavailable: The database did not answer.
        """
        withdrawn = []
        for codes in self._derive(decision_token):
            found = [(code, before) for code in codes if (before := self._store.find_code(code)) is not None]
            if not found:
                break
            for code, before in found:
                self._store.use_code(code)
                withdrawn.append(before.granted)
        return withdrawn

    def _find_first(self, codes: Sequence[str]) -> tuple[str, StoredCode] | None:
        """The first of *codes* that is kept, with what is stored for it."""
        for code in codes:
            if (stored := self._store.find_code(code)) is not None:
                return code, stored
        return None

    def _derive(self, decision_token: str) -> Iterator[list[str]]:
        """The codes of a decision, in order, each as every secret of ours makes it, the newest secret first.

        An earlier click may have been answered with a secret that was the newest one then. A code has 256 bits, which
        nobody can guess without our keys.
        """
        keys = self._secrets.derive("authorization code")
        for number in range(CODES_PER_DECISION):
            message = f"{number}\x00{decision_token}".encode()
            yield [b64url(hmac.digest(key, message, sha256)) for key in keys]
