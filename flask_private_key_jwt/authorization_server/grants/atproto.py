"""What a session is under ``OAUTH2_PROFILE = "atproto"``: for the scope ``atproto``, about an account that has a DID.

``§`` names a section of the AT Protocol's OAuth specification (https://atproto.com/specs/oauth).
"""

import re
from collections.abc import Collection

from ...errors import InvalidGrant, InvalidScope
from ...settings.profiles import ATPROTO_SCOPE

MAX_DID_CHARACTERS = 255
"""As many as any ``sub`` may have here; the DIDs of the AT Protocol are shorter."""
_DID = re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]*[A-Za-z0-9._-]")


def is_did(text: str) -> bool:
    """Whether *text* is a DID as the AT Protocol writes it (https://atproto.com/specs/did); nothing is looked up."""
    return len(text) <= MAX_DID_CHARACTERS and _DID.fullmatch(text) is not None


def check_scope(scope: Collection[str]) -> None:
    """Check that a request is for a session of this profile (§ Authorization Scopes).

    :raises InvalidScope: The scope ``atproto`` is missing.
    """
    if ATPROTO_SCOPE not in scope:
        raise InvalidScope("the scope atproto is not asked for", cause="scope_without_atproto")


def check_session(scope: Collection[str], subject: str) -> None:
    """Check what a token will say. The session may have begun before the profile was set.

    :raises InvalidScope: The scope ``atproto`` is not part of it.
    :raises InvalidGrant: The person's id is not a DID.
    """
    check_scope(scope)
    if not is_did(subject):
        raise InvalidGrant("the id of the person is not a DID", cause="subject_not_did")
