"""The usual way: one ``requests`` session that authenticates itself and renews its token when it is due."""

import itertools
import time

import requests

from flask_private_key_jwt.client import PrivateKeyJWTAuth

from ..clients import DemoClient
from .jwt import decode_unverified
from .show import Show

TIMEOUT_SECONDS = 10.0


def watch(client: DemoClient, show: Show, *, issuer: str, api: str, every: float, times: int | None) -> None:
    """Call the API again and again.

    :param every: Pause between two calls, in seconds.
    :param times: How often; ``None`` means until Ctrl-C.
    """
    session = requests.Session()
    session.trust_env = False  # the demo's servers are on this machine: no proxy
    session.auth = PrivateKeyJWTAuth(
        issuer,
        client.client_id,
        key=client.key_file,
        alg=client.alg,
        scope=client.scope,
        resource=api,
        dpop=client.dpop,
    )
    show.title(f"{client.client_id}: GET {api}{client.path} every {every:g} seconds, until Ctrl-C")
    token_before = ""
    for number in itertools.count(1):
        moment = time.strftime("%H:%M:%S")
        try:
            answer = session.get(api + client.path, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:  # the next call may do better
            show.bad(f"{moment}  {error}")
        else:
            token = answer.request.headers["Authorization"].rpartition(" ")[2]
            age = describe(token, is_new=token != token_before)
            say = show.good if answer.ok else show.bad
            say(f"{moment}  {answer.status_code}  {age}  {answer.text.strip()}")
            token_before = token
        if number == times:
            return
        time.sleep(every)


def describe(token: str, *, is_new: bool) -> str:
    """How old the token is, in words."""
    _, claims = decode_unverified(token)
    left = int(claims["exp"] - time.time())
    return f"{'new token' if is_new else 'same token'}, good for {left} s"
