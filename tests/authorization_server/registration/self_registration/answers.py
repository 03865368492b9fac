"""What every refusal of registration and management looks like from outside, and its reason inside."""

from werkzeug.test import TestResponse

from tests.refusals import Refusal

REGISTER = "/oauth2/register"

PUBLIC = {
    "invalid_token": "The registration token is invalid.",
    "missing_token": "The request needs a registration token.",
    "invalid_client_metadata": "The client metadata is invalid.",
    "invalid_redirect_uri": "A redirect URI is invalid.",
    "unapproved_software_statement": "The software statement is not approved for use here.",
    "invalid_request": "The request is malformed.",
    "temporarily_unavailable": "The server cannot answer right now; try again later.",
}
"""Error -> the one sentence a caller ever reads; ``missing_token`` has the code ``invalid_token``, too."""

CHALLENGES = {
    "missing_token": ['Bearer realm="registration"'],
    "invalid_token": ['Bearer realm="registration", error="invalid_token"'],
}


def assert_json_never_stored(answer: TestResponse) -> None:
    """The answer is JSON and may not be cached."""
    assert answer.headers.getlist("Content-Type") == ["application/json"]
    assert answer.headers.getlist("Cache-Control") == ["no-store"]
    assert answer.headers.getlist("Pragma") == ["no-cache"]


def assert_refused(
    answer: TestResponse, error: str, refusals: list[Refusal], cause: str, *, says: str = "", status: int = 400
) -> None:
    """The public answer and the cause of the latest refusal, and what its private reason says."""
    code = "invalid_token" if error == "missing_token" else error
    assert answer.json == {"error": code, "error_description": PUBLIC[error]}
    assert answer.status_code == (401 if code == "invalid_token" else status)
    assert_json_never_stored(answer)
    assert answer.headers.getlist("WWW-Authenticate") == CHALLENGES.get(error, [])
    assert refusals
    assert refusals[-1].cause == cause, refusals
    assert refusals[-1].startswith(says)
