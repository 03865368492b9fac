"""UserInfo (OpenID Connect Core §5.3): a protected resource like any other; its name is the issuer."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import flask
from werkzeug.exceptions import HTTPException

from ...dpop.nonce import Nonces
from ...dpop.proof import ProofChecker
from ...errors import ConfigurationError, InvalidToken, OAuthError
from ...jose.derived import Secrets
from ...replay.base import name_api
from ...resource_server.admission import Admission, find_admission
from ...resource_server.challenge import Challenger
from ...resource_server.guard import Guard
from ...resource_server.in_flask import enter, turn_away
from ...resource_server.online import OnlineCheck
from ...resource_server.requirement import Requirement
from ...resource_server.target_uri import FixedURI
from ...settings.profiles import apply_profile
from ...settings.resource import ResourceSettings
from ...settings.server import ServerSettings
from ...settings.shared import SharedSettings
from ...signals.refusal import Answer
from ...tokens.verification import IssuerKeys, TokenVerifier
from ..state import State, current_state
from ..tokens.id_token import OPENID
from ..tokens.user_claims import build_user_claims

PATH = "/userinfo"
REQUIREMENT = Requirement(((OPENID,),))


def userinfo() -> flask.Response:
    """``GET`` and ``POST /oauth2/userinfo``; the token is in the ``Authorization`` header, never in the form."""
    state = current_state()
    guard = state.userinfo
    if (refusal := enter(guard, REQUIREMENT)) is not None:
        return refusal
    admission = find_admission(flask.request.environ, by=guard)
    assert admission is not None  # the guard let the request in
    try:
        return state.server.send(Answer(200, _find_claims(state, admission)))
    except InvalidToken as refused:
        return turn_away(guard, refused, REQUIREMENT)


def _find_claims(state: State, admission: Admission) -> dict[str, Any]:
    """The claims that the token may read.

    :raises InvalidToken: The client acts for itself, or the person no longer exists.
    :raises ConfigurationError: The application returns claims that it may not, or its function failed.
    """
    token = admission.token
    subject: str = token.claims["sub"]
    if subject == token.client_id:
        raise InvalidToken(
            "the client acts for itself: there is nobody to tell of",
            cause="token_without_person",
            client_id=token.client_id,
        )
    claims = _ask_application(state, subject, token.scopes)
    if claims is None:
        raise InvalidToken("there is no such person any more", cause="person_unknown", client_id=token.client_id)
    return claims


def _ask_application(state: State, subject: str, scopes: frozenset[str]) -> dict[str, Any] | None:
    """The claims about a person; ``None``: the person no longer exists.

    :raises ConfigurationError: They are not acceptable; or the application's function failed, and its exception is the
        ``__cause__``.
    """
    try:
        return build_user_claims(state.people.claims, subject, scopes)
    except (ConfigurationError, OAuthError, HTTPException):
        raise
    except Exception as error:  # the application's function may raise anything
        raise ConfigurationError(
            f"user_claims raised {type(error).__name__}; the log has its traceback. It gets the subject as a string: "
            "where people's key is a UUID or a number, look them up by uuid.UUID(subject) or int(subject)."
        ) from error


def build_guard(
    settings: ServerSettings, secrets: Secrets, extensions: Mapping[str, Any], *, own_keys: IssuerKeys, url: str
) -> Guard:
    """The guard of UserInfo: the same steps as for any API, with the server's settings.

    :param extensions: ``app.extensions``; the server's state is added to it later.
    :param own_keys: The server's public keys.
    :param url: The endpoint's URL.
    """
    resource = _build_settings(settings)
    nonces = None
    if resource.DPOP_NONCE == "required":
        # With another purpose: a nonce of the token endpoint is not accepted here (RFC 9449 §9).
        nonces = Nonces(secrets, purpose="rs", lifetime=resource.DPOP_NONCE_LIFETIME_SECONDS)
    return Guard(
        settings=resource,
        tokens=TokenVerifier(
            issuer=resource.ISSUER,
            resource=resource.RESOURCE,
            algs=resource.TOKEN_SIGNING_ALGS,
            max_bytes=resource.TOKEN_MAX_BYTES,
            clock_skew=resource.CLOCK_SKEW_SECONDS,
        ),
        proofs=ProofChecker(resource, nonces, server=name_api(issuer=resource.ISSUER, resource=resource.RESOURCE)),
        target=FixedURI(url),
        fetched_keys=own_keys,
        stored_replay=None,
        online=OnlineCheck(resource),
        # This resource has no metadata document of its own (RFC 9728 §5.1); everything is in the server's.
        challenger=Challenger(resource.DPOP_SIGNING_ALGS, metadata_url=None),
        extensions=extensions,
        name="userinfo",
    )


def _build_settings(settings: ServerSettings) -> ResourceSettings:
    """The server's settings as the settings of an API whose name is the issuer."""
    values = {setting.name: getattr(settings, setting.name) for setting in fields(SharedSettings)}
    values |= {"RESOURCE": settings.ISSUER, "EXTERNAL_URL": settings.ISSUER, "REPLAY_STORE": "sql"}
    known = frozenset(setting.name for setting in fields(ResourceSettings))
    return ResourceSettings(**apply_profile(settings.PROFILE, values, known))
