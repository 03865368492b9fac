"""What the API answers, word for word."""

from werkzeug.test import TestResponse

INVALID_TOKEN = {"error": "invalid_token", "error_description": "The access token is invalid."}
INVALID_PROOF = {"error": "invalid_dpop_proof", "error_description": "The DPoP proof is invalid."}
INVALID_REQUEST = {"error": "invalid_request", "error_description": "The request is malformed."}
MISSING_TOKEN = {"error": "invalid_token", "error_description": "The request needs an access token."}
INSUFFICIENT_SCOPE = {
    "error": "insufficient_scope",
    "error_description": "The access token lacks a required scope.",
}
UNAVAILABLE = {
    "error": "temporarily_unavailable",
    "error_description": "The server cannot answer right now; try again later.",
}
USE_DPOP_NONCE = {
    "error": "use_dpop_nonce",
    "error_description": "The DPoP proof needs the nonce of the DPoP-Nonce header.",
}


def challenges(answer: TestResponse) -> list[str]:
    """The challenges of an answer, one per header line."""
    return answer.headers.getlist("WWW-Authenticate")
