"""What others wrote, for a message: one short line that holds no token."""

import re

_JWT = re.compile(r"eyJ[\w.-]+")  # a JSON object in base64url starts with eyJ


def show_foreign(value: object, token: str = "") -> str | None:
    """A string as one short printable line, without the token and without JWTs, which a server may send back.

    :param token: A secret of the request; the line must not contain it.
    :return: ``None`` if *value* is not a string, or empty.
    """
    if not isinstance(value, str) or not value:
        return None
    text = value.replace(token, "[token]") if token else value  # before the text is cut, so that no part of it remains
    return _JWT.sub("[JWT]", "".join(c if " " <= c <= "~" else "?" for c in text[:2000]))[:200]
