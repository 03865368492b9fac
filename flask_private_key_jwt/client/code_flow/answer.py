"""The authorization response that a browser brings: whose it is, and what it says (RFC 6749 §4.1.2, RFC 9207)."""

import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from ..errors import SignInError
from ..foreign_text import show_foreign
from .pending import PendingSignIn

SignInAnswer = str | Mapping[str, Any] | Iterable[tuple[str, str]]
"""An authorization response: the URL that the browser called, its query, a posted form, or names with values."""

MAX_PARAMETERS = 50
_URL = re.compile(r"/|[A-Za-z][A-Za-z0-9+.-]*:")
"""How a URL or a path begins, and no query."""
_ADVICE = {
    "access_denied": "The person, or the server, said no.",
    "invalid_scope": "The client is not registered for a scope that it asked for.",
    "invalid_target": "The server issues no tokens for that resource.",
    "login_required": "Nobody is signed in there, and prompt=none forbids to ask.",
    "consent_required": "The person has to consent, and prompt=none forbids to ask.",
    "interaction_required": "The person has to do something, and prompt=none forbids to ask.",
    "unauthorized_client": "The client is not registered for the authorization_code grant.",
    "temporarily_unavailable": "The server is not available right now; try again later.",
    "server_error": "The server has a problem of its own; try again later.",
}
"""Error codes (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6) -> what they mean."""


def read_answer(answer: SignInAnswer) -> dict[str, str]:
    """The parameters of an answer, each once.

    :param answer: As :data:`SignInAnswer`. The mapping may have several values for a name, as Flask's ``request.args``.
    :raises SignInError: A parameter is there twice (RFC 6749 §3.1), or it cannot be read.
    """
    pairs = _read_text(answer) if isinstance(answer, str) else _list_pairs(answer)
    values = dict(pairs)
    if len(values) != len(pairs):
        raise SignInError("The answer has a parameter twice; it is not used.", cause="sign_in_parameter_repeated")
    return values


def find_state(answer: SignInAnswer) -> str | None:
    """The ``state`` of an answer, by which its pending sign-in is found; ``None`` if it has none.

    :raises SignInError: As :func:`read_answer`.
    """
    return read_answer(answer).get("state")


def check_answer(values: Mapping[str, str], pending: PendingSignIn, *, iss_required: bool) -> str:
    """Check that an answer is the one to *pending*, and return its code.

    :param iss_required: Whether an answer without ``iss`` is refused. One with a wrong ``iss`` always is.
    :raises SignInError: It is the answer to another request, is late, comes from another server, has an error instead
        of a code, or has neither. Only an answer that is ours can end a sign-in with an error.
    """
    if not values.get("state"):
        raise SignInError("The answer has no state, so it is not one to this sign-in.", cause="sign_in_state_missing")
    if not is_state_of(values, pending):
        raise SignInError("The answer has another state: it is not the one to this sign-in.", cause="sign_in_state")
    if pending.is_over:
        raise SignInError("The answer came too late. Sign in once more.", cause="sign_in_late")
    _check_iss(values.get("iss"), pending.issuer, required=iss_required)
    if values.get("error"):
        raise _refusal(values)
    if not (code := values.get("code")):
        raise SignInError("The answer has neither a code nor an error.", cause="sign_in_code_missing")
    return code


def is_state_of(values: Mapping[str, str], pending: PendingSignIn) -> bool:
    """Whether an answer has the state of *pending*; the time that this takes says nothing about the state."""
    given = values.get("state", "").encode("utf-8", "surrogatepass")
    return hmac.compare_digest(given, pending.state.encode())


def _check_iss(iss: str | None, issuer: str, *, required: bool) -> None:
    # Before the code is sent anywhere: it may be a code of another server, that a hostile one wants (RFC 9207 §1).
    if not iss:
        if required:
            raise SignInError(
                f"The answer has no iss, so it may come from another server than {issuer}. If that server names none "
                "in its answers, and this client uses no other, it may be built with allow_missing_iss=True.",
                cause="sign_in_iss_missing",
            )
    elif iss != issuer:
        raise SignInError(
            f"The answer comes from {show_foreign(iss)!r}, but {issuer!r} was asked: another server answers in its "
            "place. The code is not used.",
            cause="sign_in_iss",
        )


def _refusal(values: Mapping[str, str]) -> SignInError:
    error, description = show_foreign(values["error"]), show_foreign(values.get("error_description"))
    said = f' ("{description}")' if description else ""
    advice = _ADVICE.get(error or "", "See the server's documentation for this error.")
    return SignInError(
        f"The server answered {error}{said}. {advice}", cause="sign_in_refused", error=error, description=description
    )


def _read_text(text: str) -> list[tuple[str, str]]:
    text = text.partition("#")[0]
    query = text.partition("?")[2] if text[:1] == "?" or _URL.match(text) else text
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise SignInError("The answer cannot be read.", cause="sign_in_malformed") from None


def _list_pairs(answer: Mapping[str, Any] | Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    if isinstance(answer, Mapping):
        # Frameworks have mappings that show only one value of a repeated name, and all of them under another method.
        lists = getattr(answer, "lists", None) or getattr(answer, "multi_items", None)
        answer = list(lists()) if lists else list(answer.items())
    pairs = [(name, item) for name, value in answer for item in (value if isinstance(value, list | tuple) else [value])]
    if not all(isinstance(text, str) for pair in pairs for text in pair):
        raise SignInError("The answer cannot be read.", cause="sign_in_malformed")
    return pairs
