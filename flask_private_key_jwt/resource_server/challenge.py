"""``WWW-Authenticate``: how to authenticate (RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1).

Every value comes from configuration or is a constant sentence. Nothing that the caller sent is repeated, so no value
needs an escape (RFC 9110 §5.6.4).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InsufficientScope, InvalidToken, MissingToken, OAuthError
from .credentials import Scheme
from .requirement import BoundTokenAsBearer, Requirement


@dataclass(frozen=True, slots=True)
class Challenger:
    """Builds the challenges of one API.

    :param algs: Accepted proof algorithms.
    :param metadata_url: The URL of the API's metadata (RFC 9728 §3.1), if it has any.
    """

    algs: Sequence[str]
    metadata_url: str | None

    def build(
        self, error: OAuthError, requirement: Requirement, *, served: Sequence[Scheme], used: Scheme | None
    ) -> list[str]:
        """The values of ``WWW-Authenticate`` for a refusal: none for a 5xx, else at least one.

        :param served: The schemes that the view accepts, best first.
        :param used: The scheme of the request, if it is Bearer or DPoP.
        """
        if error.status >= 500:
            return []
        # Who has no valid token learns which scope to ask for (RFC 6750 §3): an MCP client asks its user for that.
        wanted = {}
        if requirement.alternatives and isinstance(error, (InvalidToken, InsufficientScope)):
            wanted["scope"] = " ".join(requirement.alternatives[0])
        if isinstance(error, MissingToken):  # no error code: the caller may not have known (RFC 6750 §3.1)
            return [self._write(scheme, wanted) for scheme in served]
        # One challenge only: clients retry after use_dpop_nonce only if it is the only challenge.
        fits = used in served and not isinstance(error, BoundTokenAsBearer)
        scheme = used if used and fits else served[0]
        return [self._write(scheme, {"error": error.code, "error_description": error.description, **wanted})]

    def _write(self, scheme: Scheme, parameters: dict[str, str]) -> str:
        if scheme == "DPoP":
            parameters = {**parameters, "algs": " ".join(self.algs)}
        if self.metadata_url:
            parameters = {**parameters, "resource_metadata": self.metadata_url}
        return " ".join([scheme, ", ".join(f'{name}="{value}"' for name, value in parameters.items())]).strip()
