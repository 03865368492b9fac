"""A program for a person's own machine: ``python orders.py``, and ``python orders.py --sign-out``."""

import argparse
import os
import sys
from pathlib import Path

import requests

from flask_private_key_jwt.client import AuthorizationCodeClient, FileTokenStore, generate_key

SHOP = os.environ.get("SHOP", "http://127.0.0.1:5000")
ORDERS = f"{SHOP}/orders"
FOLDER = Path(os.environ.get("ORDERS_FOLDER", Path.home() / ".orders"))


def load_dpop_key() -> Path:
    """The key that the tokens are bound to, made at first use; for this person only."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    file = FOLDER / "dpop.pem"
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as writing:
            writing.write(generate_key().as_pem())
    return file


def main() -> str:
    """What the program says."""
    parser = argparse.ArgumentParser(description="Shows your orders.")
    parser.add_argument("--sign-out", action="store_true", help="forget and revoke what this machine may do")
    options = parser.parse_args()
    client = AuthorizationCodeClient(SHOP, "orders-program", dpop_key=load_dpop_key(), timeout=30)
    store = FileTokenStore(FOLDER / "tokens.json")
    if options.sign_out:
        client.sign_out(store)
        return "You are signed out."
    if store.load() is None:
        client.sign_in_with_browser(store, scope="orders offline_access", resource=ORDERS)
    answer = requests.get(ORDERS, auth=client.auth(store, resource=ORDERS), timeout=30)
    answer.raise_for_status()
    return f"{answer.json()['of']}: {', '.join(answer.json()['orders'])}"


if __name__ == "__main__":
    try:
        print(main())
    except requests.RequestException as error:  # the errors of the client are of this kind
        sys.exit(str(error))
