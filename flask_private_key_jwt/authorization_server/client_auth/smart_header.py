"""What SMART asks of the header of an assertion, besides the rules for all (Client Authentication: Asymmetric)."""

from ...jose import jose
from ..registered_client import RegisteredClient


def check_smart_header(jwt: jose.JWT, client: RegisteredClient) -> None:
    """Check that the header names the key, and a ``jku`` only if it is the client's own.

    Keys are never fetched from a ``jku``: they are those that the client is registered with.

    :raises JoseProblem: There is no ``kid``, or the ``jku`` is not the registered ``jwks_uri``.
    """
    if jwt.kid is None:
        raise jose.JoseProblem("no kid, which SMART requires", cause="kid_missing")
    jku = jwt.header.get("jku")
    if jku is not None and jku != client.jwks_uri:
        raise jose.JoseProblem("the jku is not the registered jwks_uri", cause="jku")
