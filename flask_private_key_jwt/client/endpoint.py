"""One endpoint that a client posts forms to: its name, and what its errors mean (RFC 6749 §5.2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..fetching.exchange import FetchedAnswer
from ..jose import jose
from ..jose.unset import without_unset
from .errors import EndpointError
from .foreign_text import show_foreign

ADVICE = {
    "invalid_client": "The server does not accept this client's assertion: is the client_id registered there, enabled, "
    "with the public half of this key? Does the server want the issuer or the token endpoint as audience, "
    "and is this machine's clock right?",
    "invalid_request": "The server finds the request malformed.",
    "temporarily_unavailable": "The server is not available right now; try again later.",
}
"""Error codes that every endpoint has -> what to do about them."""


@dataclass(frozen=True, slots=True)
class FormEndpoint:
    """An endpoint of an authorization server."""

    member: str
    """Its name in the server's metadata (RFC 8414 §2)."""
    undone: str
    """What did not happen if there is no answer, as the start of a sentence."""
    failure: type[EndpointError]
    """The exception to raise when it refuses."""
    advice: Mapping[str, str] = field(repr=False)
    """Error codes -> what to do about them."""

    @property
    def title(self) -> str:
        """Its name in a sentence."""
        return f"The {self.member.replace('_', ' ')}"

    def load_members(self, answer: FetchedAnswer, *, as_said: bool = False) -> dict[str, Any]:
        """The members of a JSON answer, without null and empty ones; empty for an error without a JSON object.

        :param as_said: Return null and empty members too: in what is said of a token, a missing member can mean less
            protection.
        :raises EndpointError: The answer is a success without a JSON object.
        """
        try:
            members = jose.load_json_object(answer.body, "answer")
            return dict(members) if as_said else without_unset(members)
        except jose.JoseProblem as problem:
            if answer.status == 200:
                raise self.unusable(answer, f"answer is not usable: {problem}.") from None
            return {}

    def refusal(self, answer: FetchedAnswer, *, token: str = "") -> EndpointError:
        """The exception for an error answer.

        :param token: The token in the request; the message must not contain it.
        """
        members = self.load_members(answer)
        error = show_foreign(members.get("error"), token)
        description = show_foreign(members.get("error_description"), token)
        reference = f" (reference {answer.reference})" if answer.reference else ""
        if error is None:
            message = (
                f"{self.title} answered with status {answer.status}{reference} and no OAuth error. Is the issuer right?"
                f"{answer.way_to_the_reason}"
            )
        else:
            advice = self.advice.get(error, "See the server's documentation for this error.") + answer.way_to_the_reason
            said = f' ("{description}")' if description else ""
            message = f"{self.title} refused with {answer.status} {error}{said}{reference}. {advice}"
        return self.failure(
            message, error=error, description=description, status=answer.status, reference=answer.reference
        )

    def unusable(self, answer: FetchedAnswer, what: str) -> EndpointError:
        """The exception for a success that cannot be used.

        :param what: Why it cannot be used, as the end of a sentence about the endpoint's answer.
        """
        return self.failure(f"{self.title}'s {what}", status=answer.status, reference=answer.reference)

    def find_error(self, answer: FetchedAnswer) -> str | None:
        """The error code of an answer; ``None`` for a success, or if there is no OAuth error."""
        return None if answer.status == 200 else show_foreign(self.load_members(answer).get("error"))
