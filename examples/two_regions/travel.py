"""A client that meets one region, then the other; and a thief who shows the assertion of the one to the other."""

import os

import requests

from flask_private_key_jwt.client import Prover, build_client_assertion, generate_key, load_key

REGIONS = {"west": "http://127.0.0.1:5001", "east": "http://127.0.0.1:5002"}
ISSUER = os.environ.get("ISSUER", REGIONS["west"])
API = os.environ.get("API", "http://127.0.0.1:5005")
REGIONS["east"] = os.environ.get("EAST", REGIONS["east"])
REGIONS["west"] = ISSUER

key, dpop_key = load_key("traveller.pem"), generate_key()
token_url = f"{ISSUER}/oauth2/token"  # the name in proofs, whichever region answers


def ask(region: str, assertion: str) -> requests.Response:
    """Ask one region for a token."""
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
        "resource": API,
    }
    proof = Prover(dpop_key).prove(method="POST", url=token_url)
    return requests.post(f"{REGIONS[region]}/oauth2/token", data=form, headers={"DPoP": proof}, timeout=30)


for region, other in (("west", "east"), ("east", "west")):
    assertion = build_client_assertion("traveller", ISSUER, key=key)
    token = ask(region, assertion).json()["access_token"]
    proof = Prover(dpop_key).prove(method="GET", url=f"{API}/values", access_token=token)
    answer = requests.get(f"{API}/values", headers={"Authorization": f"DPoP {token}", "DPoP": proof}, timeout=30)
    print(f"a token of the {region}: the API answers {answer.status_code}")
    print(f"its assertion, shown again in the {other}: {ask(other, assertion).json()['error']}")
