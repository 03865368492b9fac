"""Which language a page is in: what was asked for, held against what there is (BCP 47, RFC 4647 §3.4)."""

import re
from collections.abc import Collection, Iterable

MOST_TAGS = 8
"""How many languages of one list are looked at; nobody reads more, and a list may be long to cost time."""
MOST_CHARACTERS = 255
"""How much of a list is looked at."""
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})


def read_tags(text: str | None) -> tuple[str, ...]:
    """The language tags in a list with spaces between, such as ``ui_locales`` (OpenID Connect Core §3.1.2.1).

    What is no tag is left out: the parameter is a wish, and a wrong one is no error.
    """
    words = (text or "")[:MOST_CHARACTERS].split(" ")[:MOST_TAGS]
    return tuple(word for word in words if _TAG.fullmatch(word))


def find_language(wanted: Iterable[str], available: Collection[str]) -> str | None:
    """The first of the *wanted* tags for which there is a language, as *available* spells it; ``None``: for none.

    A tag that is not there is shortened from its end: ``de-CH-1996`` finds ``de-CH``, otherwise ``de``.
    """
    spelt = {tag.lower(): tag for tag in available}
    for tag in wanted:
        parts = tag.lower().split("-")
        while parts:
            if (found := spelt.get("-".join(parts))) is not None:
                return found
            parts.pop()
    return None


def find_direction(language: str) -> str:
    """``rtl`` for a language that is written from right to left, otherwise ``ltr``; the values of HTML's ``dir``."""
    return "rtl" if language.lower().split("-")[0] in _RIGHT_TO_LEFT else "ltr"
