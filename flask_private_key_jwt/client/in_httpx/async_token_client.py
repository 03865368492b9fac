"""Request tokens and revoke them, with tasks: runs the steps of ``token_steps.py``."""

from collections.abc import Sequence
from typing import Unpack

from ...fetching.async_exchange import AsyncRunner
from ...fetching.discovery import ServerMetadata
from ..options import TokenClientOptions
from ..token import Token, TokenType
from ..token_client import TokenClient
from .errors import errors_of_httpx


class AsyncTokenClient:
    """:class:`~flask_private_key_jwt.client.TokenClient` for programs that await; for asyncio and trio, by ``httpx``.

    Nothing blocks the event loop. Safe to use from several tasks and from several event loops. Its errors are those of
    the other, and each is also an ``httpx.RequestError``. A SOCKS proxy needs PySocks and
    ``httpx[socks]``.

    :param issuer: The server's issuer identifier.
    :param client_id: The id under which the client is registered there.
    :param options: As in :class:`~flask_private_key_jwt.client.TokenClient`.
    :raises ConfigurationError: An argument is wrong; the message says which and why.
    """

    def __init__(self, issuer: str, client_id: str, **options: Unpack[TokenClientOptions]) -> None:
        self.in_threads = TokenClient(issuer, client_id, **options)
        """The same client for threads; both know the same metadata and nonces."""
        self._runner = AsyncRunner(self.in_threads._runner.outbound)

    def __repr__(self) -> str:
        return f"<AsyncTokenClient {self.in_threads.client_id!r} at {self.in_threads.issuer!r}>"

    @property
    def token_type(self) -> TokenType:
        """The only type of token that is accepted."""
        return self.in_threads.token_type

    async def metadata(self) -> ServerMetadata:
        """The server's metadata, fetched at first use.

        :raises DiscoveryError: It could not be fetched, or is about another issuer.
        """
        with errors_of_httpx():
            return await self._runner.run(self.in_threads._steps.metadata())

    async def request_token(
        self, *, scope: str | None = None, resource: str | Sequence[str] = (), assertion: str | None = None
    ) -> Token:
        """Get a new token by the client_credentials grant (RFC 6749 §4.4).

        :param scope: Scopes, separated by spaces; default: the server decides.
        :param resource: The API or APIs that the token is for (RFC 8707 §2).
        :param assertion: An assertion to send first instead of a new one, to show the steps one by one.
        :raises DiscoveryError: The server's metadata could not be fetched.
        :raises TokenRequestError: The server did not answer, refused, or gave no token of the wanted type.
        """
        with errors_of_httpx():
            return await self._runner.run(
                self.in_threads._tokens.request_token(scope=scope, resource=resource, assertion=assertion)
            )

    async def revoke_token(self, token: str, token_type_hint: str | None = None) -> None:
        """Revoke a token (RFC 7009 §2.1); a token that the server does not know counts as revoked.

        :param token: An access token or a refresh token of this client. A revoked refresh token also ends the tokens
            that came from it.
        :param token_type_hint: ``access_token`` or ``refresh_token``, if known: servers look for that kind first.
        :raises DiscoveryError: The server's metadata could not be fetched, or names no revocation endpoint.
        :raises RevocationError: The server did not answer, or refused: the token may still be active.
        """
        with errors_of_httpx():
            await self._runner.run(self.in_threads._tokens.revoke_token(token, token_type_hint))
