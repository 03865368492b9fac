"""What every refusal of the token endpoint looks like from outside (RFC 6749 §5.2), and its reason inside."""

from werkzeug.test import TestResponse

from tests.conftest import INVALID_CLIENT, INVALID_PROOF, INVALID_REQUEST
from tests.refusals import Refusal, causes

PUBLIC = {"invalid_client": INVALID_CLIENT, "invalid_request": INVALID_REQUEST, "invalid_dpop_proof": INVALID_PROOF} | {
    error: {"error": error, "error_description": sentence}
    for error, sentence in {
        "invalid_scope": "The requested scope is invalid.",
        "invalid_target": "The requested resource is invalid or unknown.",
        "unauthorized_client": "The client is not authorized to make this request.",
        "unsupported_grant_type": "The grant type is not supported.",
        "use_dpop_nonce": "The DPoP proof needs the nonce of the DPoP-Nonce header.",
        "temporarily_unavailable": "The server cannot answer right now; try again later.",
    }.items()
}
"""Error code -> the one document a caller ever reads."""


def assert_json_never_stored(answer: TestResponse) -> None:
    """JSON, not cached, and no challenge that would hide the document."""
    assert answer.headers.getlist("Content-Type") == ["application/json"]
    assert answer.headers.getlist("Cache-Control") == ["no-store"]
    assert answer.headers.getlist("Pragma") == ["no-cache"]
    assert "WWW-Authenticate" not in answer.headers
    assert isinstance(answer.json, dict)


def assert_refused(
    answer: TestResponse, error: str, refusals: list[Refusal], cause: str, *, says: str = "", status: int = 400
) -> TestResponse:
    """The public answer and the cause of the one refusal so far, and what its private reason says."""
    assert answer.json == PUBLIC[error]
    assert answer.status_code == status
    assert_json_never_stored(answer)
    assert len(answer.headers["Error-Reference"]) == 16
    assert causes(refusals) == [cause], refusals
    assert refusals[0].startswith(says)
    return answer


def assert_unavailable(answer: TestResponse, refusals: list[Refusal], cause: str, *, says: str = "") -> None:
    """A store does not answer. The refusal is taken off the list."""
    assert_refused(answer, "temporarily_unavailable", refusals, cause, says=says, status=503)
    assert answer.headers["Retry-After"] == "5"
    refusals.clear()
