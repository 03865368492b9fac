"""PersonAuth: set it as a ``requests`` session's auth, and every call acts for a person who signed in."""

from ..api_access import APIAccess
from ..auth import AccessAuth
from ..proofs import Prover
from .token_source import PersonTokenSource


class PersonAccess(APIAccess):
    """Access to one API for one person; safe to share between threads.

    :param source: Gets the tokens.
    :param origin: Where they may be sent.
    :param prover: Makes the proofs for that origin; ``None`` for Bearer tokens.
    """

    def __init__(self, source: PersonTokenSource, *, origin: str, prover: Prover | None) -> None:
        self.origin = origin
        self._scheme = "DPoP" if prover else "Bearer"
        self._prover = prover
        self._tokens = source


class PersonAuth(AccessAuth):
    """Authenticates the calls to one API with the tokens of a person, and renews them; safe to share between threads.

    :meth:`.client.AuthorizationCodeClient.auth` makes it. In all else it is like
    :class:`~flask_private_key_jwt.client.PrivateKeyJWTAuth`: one origin, a proof for every attempt, nonces. A call
    raises :class:`~flask_private_key_jwt.client.SignInRequired` if there are no tokens that can be used or renewed.
    """

    def __repr__(self) -> str:
        return f"<PersonAuth for {self.origin}>"
