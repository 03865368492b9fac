"""Which scopes a token gets (RFC 6749 §3.3)."""

from ..errors import InvalidScope
from ..registered_client import RegisteredClient

MAX_SCOPE_CHARACTERS = 4096


def resolve_scope(client: RegisteredClient, requested: str | None) -> tuple[str, ...]:
    """The scopes of a request: all it asks for, each registered for the client, or its default.

    Nothing is dropped silently: one scope that is not registered refuses the request.

    :param requested: The ``scope`` parameter; ``None`` or empty asks for the default.
    :raises InvalidScope: A scope is not registered for the client, or none was asked for and there is no default.
    """
    if not requested:
        if not client.default_scope:
            raise InvalidScope("no scope requested and the client has no default_scope", client_id=client.client_id)
        return client.default_scope
    if len(requested) > MAX_SCOPE_CHARACTERS:
        raise InvalidScope(f"scope is longer than {MAX_SCOPE_CHARACTERS} characters", client_id=client.client_id)
    wanted = tuple(dict.fromkeys(requested.split(" ")))  # a space is the only separator; order kept, doubles once
    if unknown := [token for token in wanted if token not in client.scope]:
        raise InvalidScope(f"scope {unknown[0][:100]!r} is not registered for the client", client_id=client.client_id)
    return wanted
