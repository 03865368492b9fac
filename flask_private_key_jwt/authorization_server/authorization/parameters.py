"""The parameters of an authorization request and their checks, the same from a browser and for a pushed request.

First where a response may go (``target.py``): until this is known, a refusal is a page, never a redirect
(RFC 9700 §4.11). Then everything else (:func:`check_request`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from ...errors import (
    InvalidRequest,
    RegistrationNotSupported,
    UnauthorizedClient,
    UnsupportedResponseType,
)
from ...settings.server import ServerSettings
from ...tokens.scope_matching import ScopeMatcher
from ..grants.pkce import check_code_challenge
from ..grants.resource import check_named, find_named, resolve_audience
from ..grants.scope import resolve_scope, split_scope
from ..registered_client import RegisteredClient
from ..request import MAX_PARAMETERS, REPEATABLE
from ..tokens.id_token import OPENID, IdTokenHint
from ..wording.languages import read_tags
from .response import ResponseTarget, check_state

RESPONSE_TYPE = "code"
PROMPTS = frozenset({"none", "login", "consent", "select_account"})
MAX_LOGIN_HINT_CHARACTERS = 255
MAX_PROMPT_CHARACTERS = 255
MAX_NONCE_CHARACTERS = 1024
KNOWN = (
    "response_type",
    "response_mode",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
    "prompt",
    "max_age",
    "login_hint",
    "nonce",
    "id_token_hint",
    "registration",
    "ui_locales",
)
"""The parameters that are read; all others are neither read nor kept (RFC 6749 §3.1)."""
SMART_AUDIENCE = "aud"
"""Read under ``smart`` too, but never from a request object, where it is this server (RFC 9101 §4)."""
_JKT = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of an authorization request as they were sent, each once."""

    values: Mapping[str, str] = field(repr=False)
    resources: tuple[str, ...] = ()
    signed: bool = False
    """Whether they come from a request object that the client signed (RFC 9101)."""
    hinted_subject: str | None = None
    """The person whom the ``id_token_hint`` of a pushed request named; the hint was checked then, and is not kept."""
    client_jkt: str | None = None
    """Thumbprint of the key with which the client authenticated when it pushed the request; ``None``: it used none."""

    def get(self, name: str) -> str | None:
        """The value of a parameter; ``None`` when it was not sent or sent empty (RFC 6749 §3.1)."""
        return self.values.get(name) or None

    def to_json(self) -> dict[str, Any]:
        """What a store keeps: the known parameters, without client authentication (RFC 9126 §2.1)."""
        return {
            "values": {name: self.values[name] for name in KNOWN if name in self.values},
            "resources": [*self.resources],
            **({"signed": True} if self.signed else {}),
            **({} if self.hinted_subject is None else {"hinted_subject": self.hinted_subject}),
            **({} if self.client_jkt is None else {"client_jkt": self.client_jkt}),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Parameters":
        """Read back what :meth:`to_json` made."""
        return cls(
            kept["values"],
            tuple(kept["resources"]),
            signed=kept.get("signed", False),
            hinted_subject=kept.get("hinted_subject"),
            client_jkt=kept.get("client_jkt"),
        )


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """An authorization request that passed every check."""

    client: RegisteredClient
    target: ResponseTarget
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    """The resource servers it is for, never empty (RFC 8707 §2.1)."""
    code_challenge: str
    dpop_jkt: str | None
    """Thumbprint of the only key that may redeem the code (RFC 9449 §10); ``None``: any."""
    prompt: frozenset[str]
    max_age: int | None
    """Longest time since the person signed in, in seconds: the request's, or the client's ``default_max_age``."""
    login_hint: str | None
    nonce: str | None = field(repr=False)
    """The ID token repeats it unchanged (OpenID Connect Core §2)."""
    hinted_subject: str | None
    """The only person the answer may be about; ``None``: any person."""
    client_jkt: str | None = None
    """As in :class:`Parameters`."""
    asks_every_time: bool = False
    """Whether the person is asked even if they allowed the same before."""
    ui_locales: tuple[str, ...] = ()
    """The languages that the person should be asked in, as language tags, the best first; a few at most."""

    @property
    def needs_auth_time(self) -> bool:
        """Whether the server has to know when the person signed in (OpenID Connect Core §2)."""
        return self.max_age is not None or (self.client.require_auth_time and OPENID in self.scope)


def read_query(query: bytes) -> list[tuple[str, str]]:
    """The parameters of a query string, as pairs.

    :raises InvalidRequest: It is not ASCII, not UTF-8 after decoding, or has too many parameters.
    """
    try:
        return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise InvalidRequest(f"the query cannot be parsed: {type(error).__name__}", cause="query_malformed") from None


def collect(pairs: Sequence[tuple[str, str]], *, only: Sequence[str] = ()) -> Parameters:
    """Parameters from pairs; only ``resource`` may repeat (RFC 6749 §3.1, RFC 8707 §2).

    :param only: Read these and ignore all others, even repeated ones (RFC 9126 §4); empty: read all.
    :raises InvalidRequest: A parameter was sent more than once.
    """
    values: dict[str, str] = {}
    resources: list[str] = []
    for name, value in pairs:
        if only and name not in only:
            continue
        if name in REPEATABLE:
            resources += [value] if value else []
        elif name in values:
            raise InvalidRequest(f"parameter {name[:80]!r} is sent more than once", cause="parameter_repeated")
        else:
            values[name] = value
    return Parameters(values, tuple(resources))


def check_request(
    parameters: Parameters,
    client: RegisteredClient,
    target: ResponseTarget,
    *,
    settings: ServerSettings,
    read_hint: Callable[[str], IdTokenHint],
    scope_matchers: Sequence[ScopeMatcher] = (),
) -> AuthorizationRequest:
    """Check everything else about a request (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1).

    :param settings: Say which resources there are, and whether a request must name one.
    :param read_hint: Reads an ID token of this server; raises :class:`InvalidRequest` if it is not one.
    :param scope_matchers: The application's.
    :raises OAuthError: A parameter is not acceptable; the class says which error that is.
    """
    if parameters.get("registration") is not None:
        raise RegistrationNotSupported("the parameter 'registration' was sent", cause="registration_parameter")
    _check_response_type(parameters.get("response_type"), client)
    checked = AuthorizationRequest(
        client=client,
        target=target,
        resources=_check_resources(_find_resources(parameters, settings), settings),
        dpop_jkt=_check_jkt(parameters.get("dpop_jkt")),
        prompt=_check_prompt(parameters.get("prompt")),
        max_age=_check_max_age(parameters.get("max_age"), client),
        login_hint=_check_text("login_hint", parameters.get("login_hint"), longest=MAX_LOGIN_HINT_CHARACTERS),
        # Never truncated: to the client, a changed nonce would look like an attack (OpenID Connect Core §15.5.2).
        nonce=_check_text("nonce", parameters.get("nonce"), longest=MAX_NONCE_CHARACTERS),
        hinted_subject=_check_hint(parameters, client, read_hint),
        scope=resolve_scope(client, parameters.get("scope"), matchers=scope_matchers),
        code_challenge=check_code_challenge(parameters.get("code_challenge"), parameters.get("code_challenge_method")),
        client_jkt=parameters.client_jkt,
        ui_locales=read_tags(parameters.get("ui_locales")),
    )
    check_state(parameters.get("state"))
    return checked


def _check_response_type(response_type: str | None, client: RegisteredClient) -> None:
    if response_type is None:
        raise InvalidRequest("no response_type", cause="response_type_missing")
    if response_type != RESPONSE_TYPE:
        raise UnsupportedResponseType(
            f"response_type {response_type[:80]!r} is not code", cause="response_type_not_supported"
        )
    if "authorization_code" not in client.grant_types:
        raise UnauthorizedClient(
            "the client is not registered for authorization_code", cause="grant_type_not_registered"
        )


def _find_resources(parameters: Parameters, settings: ServerSettings) -> tuple[str, ...]:
    """What the request names: ``resource``, or as SMART says it, ``aud`` (SMART App Launch 2.2, App Launch).

    In a request object ``aud`` is this server (RFC 9101 §4).
    """
    audience = parameters.get(SMART_AUDIENCE) if settings.PROFILE == "smart" and not parameters.signed else None
    return parameters.resources if audience is None else (*parameters.resources, audience)


def _check_resources(requested: Sequence[str], settings: ServerSettings) -> tuple[str, ...]:
    check_named(requested, settings)
    return resolve_audience(settings.resources, find_named(requested, settings))


def _check_jkt(jkt: str | None) -> str | None:
    if jkt is not None and not _JKT.fullmatch(jkt):
        raise InvalidRequest("dpop_jkt is not the base64url of a SHA-256 thumbprint", cause="dpop_jkt_malformed")
    return jkt


def _check_prompt(text: str | None) -> frozenset[str]:
    if text is not None and len(text) > MAX_PROMPT_CHARACTERS:
        raise InvalidRequest(f"prompt is longer than {MAX_PROMPT_CHARACTERS} characters", cause="prompt_too_long")
    prompt = frozenset(split_scope(text or ""))  # the same list of words with spaces between
    if unknown := prompt - PROMPTS:
        raise InvalidRequest(f"prompt {min(unknown)[:40]!r} is not known", cause="prompt_unknown")
    if "none" in prompt and len(prompt) > 1:
        raise InvalidRequest("prompt none goes with no other", cause="prompt_none_combined")
    return prompt


def _check_max_age(text: str | None, client: RegisteredClient) -> int | None:
    if text is None:
        return client.default_max_age
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise InvalidRequest("max_age is not a number of seconds", cause="max_age_malformed")
    return int(text)


def _check_text(name: str, text: str | None, *, longest: int) -> str | None:
    if text is not None and (len(text) > longest or not text.isprintable()):
        raise InvalidRequest(f"{name} is not a text of at most {longest} characters", cause=f"{name}_malformed")
    return text


def _check_hint(
    parameters: Parameters, client: RegisteredClient, read_hint: Callable[[str], IdTokenHint]
) -> str | None:
    text = parameters.get("id_token_hint")
    if text is None:
        return parameters.hinted_subject
    hint = read_hint(text)
    if hint.client_id != client.client_id:  # the answer would say whether another client's user is at this browser
        raise InvalidRequest(f"id_token_hint was issued to {hint.client_id[:80]!r}", cause="id_token_hint_other_client")
    return hint.subject
