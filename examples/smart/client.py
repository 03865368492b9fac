"""A backend service: it knows the URL of a FHIR server and has a key, and finds out the rest."""

import os
import sys

import requests

from flask_private_key_jwt.client import build_client_assertion, load_key

FHIR = os.environ.get("FHIR", "http://127.0.0.1:5000/fhir")
CLIENT_ID = "bulk"
KEY = load_key("bulk.pem")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def get_token(scope: str) -> str:
    """Get an access token with *scope*."""
    found = requests.get(f"{FHIR}/.well-known/smart-configuration", timeout=10).json()
    url = found["token_endpoint"]
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": build_client_assertion(CLIENT_ID, url, key=KEY),
    }
    answer = requests.post(url, data=form, timeout=10).json()
    if "error" in answer:
        sys.exit(f"{answer['error']}: {answer['error_description']}")
    return str(answer["access_token"])


def main() -> None:
    """Print the observations."""
    token = get_token(sys.argv[1] if len(sys.argv) > 1 else "system/Observation.rs")
    answer = requests.get(f"{FHIR}/Observation", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    if not answer.ok:
        sys.exit(f"{answer.status_code}: {answer.headers['WWW-Authenticate']}")
    for entry in answer.json()["entry"]:
        print(entry["resource"]["code"]["text"])


if __name__ == "__main__":
    main()
