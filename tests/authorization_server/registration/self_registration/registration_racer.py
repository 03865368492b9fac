"""Four processes that register with the same tokens at the same moment: ``registration_racer DATABASE_URL TOKEN…``.

Each is a worker of its own, forked before anything is connected; each prints the statuses it got, token by token.
"""

import os
import sys

from flask_private_key_jwt.jose import jose
from tests.authorization_server.registration.self_registration.answers import REGISTER
from tests.conftest import close, make_app

COUNT = 4


def main(url: str, tokens: list[str]) -> None:
    app, _, db = make_app(url, OAUTH2_REGISTRATION="token")
    close(app, db)
    body = {"jwks": {"keys": [jose.generate_private_key("ES256").public_jwk()]}}
    start, go = os.pipe()
    children = [fork_racer(app, tokens, body, start, go) for _ in range(COUNT)]
    os.close(go)  # the end of the file is the starting shot
    sys.exit(any(os.waitpid(child, 0)[1] for child in children))


def fork_racer(app, tokens, body, start, go):
    child = os.fork()
    if child:
        return child
    os.close(go)
    os.read(start, 1)
    client = app.test_client()
    statuses = [
        client.post(REGISTER, json=body, headers={"Authorization": f"Bearer {token}"}).status_code for token in tokens
    ]
    os.write(1, f"{' '.join(map(str, statuses))}\n".encode())  # a whole line at once
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
