"""Attacks on an API: each sends a call that has to be refused, and raises ``AssertionError`` if it is not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.test import TestResponse

from .. import clock
from ..jose import jose
from .api_client import APIClient, SentCall
from .held_token import HeldToken, prove
from .refusals import Refusal, noting_refusals


@dataclass(frozen=True, slots=True)
class Refused:
    """An attack that was refused."""

    response: TestResponse
    """The answer that the attacker got."""
    cause: str
    """The code of the private reason (``docs/causes.md``)."""
    reason: str
    """The private reason, which only the log and the signal have."""


class Attack:
    """Attacks the view that was called last. Each method sends one call, and raises ``AssertionError`` if it is let in,
    if it is refused by something else than the protector, or if no call was accepted before.

    :param api: The client whose last call is the model of each attack.
    """

    def __init__(self, api: APIClient) -> None:
        self._api = api

    # --- what a thief of a bound token tries ----------------------------------------------------------------------
    def replay(self) -> Refused:
        """Send the same call once more, with the same proof (RFC 9449 §11.1)."""
        call = self._model(bound=True)
        return self._send(call, "a proof that was used before", call.headers)

    def other_key(self) -> Refused:
        """Send the token with a proof of another key (RFC 9449 §6.1)."""
        call = self._model(bound=True)
        return self._send(call, "a proof of another key", self._prove(call, key=_make_key()))

    def strip_proof(self) -> Refused:
        """Send the bound token without a proof (RFC 9449 §7.1)."""
        call = self._model(bound=True)
        return self._send(call, "a bound token without a proof", _without(call.headers, "DPoP"))

    def as_bearer(self) -> Refused:
        """Send the bound token as a Bearer token (RFC 9449 §7.2)."""
        call = self._model(bound=True)
        headers = {**_without(call.headers, "DPoP"), "Authorization": f"Bearer {call.token.value}"}
        return self._send(call, "a bound token under the scheme Bearer", headers)

    def other_method(self) -> Refused:
        """Send a proof that was made for another HTTP method (RFC 9449 §4.3)."""
        call = self._model(bound=True)
        headers = self._prove(call, method="DELETE" if call.method != "DELETE" else "GET")
        return self._send(call, "a proof for another method", headers)

    def other_url(self) -> Refused:
        """Send a proof that was made for another URL (RFC 9449 §4.3)."""
        call = self._model(bound=True)
        return self._send(call, "a proof for another URL", self._prove(call, url=self._api.url("/another-path")))

    # --- what anybody tries ---------------------------------------------------------------------------------------
    def no_token(self) -> Refused:
        """Call without a token. A view with ``optional=True`` lets such a call in, and so fails this test."""
        call = self._model()
        return self._send(call, "a call without a token", _without(call.headers, "Authorization", "DPoP"))

    def other_issuer(self) -> Refused:
        """Send a token with the same claims that somebody else signed (RFC 9068 §4)."""
        call = self._model()
        forged = self._api.server.sign(call.token.claims, key=_make_key())
        return self._send_token(call, "a token that somebody else signed", forged)

    def other_audience(self) -> Refused:
        """Send a token of the right issuer that is for another API (RFC 9068 §4)."""
        call = self._model()
        other = self._api.server.sign({**call.token.claims, "aud": "https://another-api.example"})
        return self._send_token(call, "a token for another API", other)

    def expired(self) -> Refused:
        """Send the token when its time is over, with a new proof."""
        call = self._model()
        end = call.token.claims["exp"] + 3600
        with clock.running_by(lambda: end):
            return self._send_token(call, "a token whose time is over", call.token.value)

    def without_scope(self) -> Refused:
        """Send a token without any scope that the view can ask for. A view that asks for none fails this test."""
        call = self._model()
        other = self._api.server.sign({**call.token.claims, "scope": "another-scope"})
        return self._send_token(call, "a token without the scope", other)

    def everything(self, *, but: Collection[str] = ()) -> Mapping[str, Refused]:
        """Make all attacks that apply to the last call, except :meth:`without_scope`; those on proofs only if its token
        is bound.

        :param but: Names of methods that are left out, such as ``no_token``.
        :return: Name of the method -> what came of it.
        """
        names = (*_ON_PROOFS, *_ON_TOKENS) if self._model().token.key is not None else _ON_TOKENS
        return {name: getattr(self, name)() for name in names if name not in but}

    # --- how ------------------------------------------------------------------------------------------------------
    def _model(self, *, bound: bool = False) -> SentCall:
        call = self._api.last_call
        if call is None or call.status >= 400:
            so_far = "none was sent" if call is None else f"{call} answered {call.status}"
            raise AssertionError(f"An attack needs a call that was accepted before it, but {so_far}.")
        if bound and call.token.key is None:
            raise AssertionError(f"{call} had a Bearer token, which has no proof to attack: call it with dpop=True.")
        return call

    def _prove(
        self, call: SentCall, *, key: jose.PrivateKey | None = None, method: str | None = None, url: str | None = None
    ) -> dict[str, str]:
        """The headers of *call* with a new proof, one thing of it wrong."""
        assert call.token.key is not None
        proof = prove(
            key or call.token.key,
            method=method or call.method,
            url=url or self._api.url(call.path),
            nonce=self._api.nonce,
            access_token=call.token.value,
        )
        return {**call.headers, "DPoP": proof}

    def _send_token(self, call: SentCall, what: str, value: str) -> Refused:
        """Send another token, with a valid proof of the same key."""
        token = HeldToken(value, call.token.claims, call.token.key)
        for _ in range(2):
            proved = token.build_headers(call.method, self._api.url(call.path), nonce=self._api.nonce)
            refused = self._send(call, what, {**call.headers, **proved})
            if refused.cause not in ("proof_nonce_missing", "proof_nonce_stale"):
                break
        return refused

    def _send(self, call: SentCall, what: str, headers: Mapping[str, str]) -> Refused:
        with noting_refusals(self._api.sender) as noted:
            response = self._api.send(call.path, method=call.method, headers=headers, **call.options)
        if response.status_code < 400:
            raise AssertionError(
                f"{call} answered {response.status_code} to {what}. Is the view protected by require_oauth(…)?"
            )
        if not noted:
            raise AssertionError(
                f"{call} answered {response.status_code} to {what}, but it was not the protector that refused it."
            )
        return _as_refused(response, noted[-1])


_ON_PROOFS = ("replay", "other_key", "strip_proof", "as_bearer", "other_method", "other_url")
_ON_TOKENS = ("no_token", "other_issuer", "other_audience", "expired")


def _as_refused(response: TestResponse, refusal: Refusal) -> Refused:
    return Refused(response, refusal.cause, str(refusal))


def _without(headers: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in headers.items() if name not in names}


def _make_key() -> jose.PrivateKey:
    """A key that nobody else has."""
    return jose.generate_private_key("ES256")
