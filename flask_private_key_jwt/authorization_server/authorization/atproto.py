"""What ``OAUTH2_PROFILE = "atproto"`` asks of an authorization request and of the person who answers it.

``§`` names a section of the AT Protocol's OAuth specification (https://atproto.com/specs/oauth).
"""

from dataclasses import replace

from ...errors import InvalidRequest, UnusableAccount
from ..client_members import split_scope
from ..grants.atproto import check_scope, is_did
from .parameters import AuthorizationRequest, Parameters

CHALLENGE_SECONDS = 86400
"""How long a ``code_challenge`` cannot be used again (§ Proof Key for Code Exchange)."""


def check_atproto(parameters: Parameters, request: AuthorizationRequest) -> AuthorizationRequest:
    """Check what only this profile asks of a request (§ Request Fields), and return the request as it counts.

    :param parameters: As they were sent.
    :param request: What the checks for every profile made of them.
    :raises InvalidRequest: There is no ``state``.
    :raises InvalidScope: The scope ``atproto`` is not asked for; no default stands in for it.
    """
    if parameters.get("state") is None:
        raise InvalidRequest("no state", cause="state_missing")
    check_scope(split_scope(parameters.get("scope") or ""))
    hint = request.login_hint
    return replace(
        request,
        # A DID names the account that the client wants; a handle is for the sign-in page to resolve.
        hinted_subject=hint if hint is not None and is_did(hint) else request.hinted_subject,
        # Only a confidential client may be let in silently (§ Authorization Interface).
        asks_every_time=request.client.is_public,
    )


def check_account(subject: str) -> None:
    """Check the id of a person before they are asked (§ Identity Authentication).

    :raises UnusableAccount: It is not a DID.
    """
    if not is_did(subject):
        raise UnusableAccount("the id of the person who is signed in is not a DID", cause="subject_not_did")
