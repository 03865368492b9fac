"""What a person may be shown of somebody else's words: on a page, in a table of the command line."""

import unicodedata

CONTROLS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""General categories that steer a terminal or turn the words around them: controls, formats, surrogates, line ends."""
_SEEN = ("L", "N", "P", "S")
_BLANK = frozenset(
    "\u115f\u1160\u3164\uffa0"  # fillers of Hangul
    "\u2800"  # the Braille pattern without dots
    "\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f"  # Default_Ignorable_Code_Point, but for the variation selectors
    "\U0001d159\U00013441\U00013442\U00016fe4"  # an empty note head, two hieroglyphs, a filler of Khitan
)
"""Letters, symbols and marks by their category that nobody sees."""


def is_plain(text: str) -> bool:
    """Whether *text* holds no control, format or line end character, which a terminal or a page would obey."""
    return not any(unicodedata.category(character) in CONTROLS for character in text)


def is_visible_name(text: str) -> bool:
    """Whether a person sees a name in *text*, and nothing in it is hidden from them."""
    if not text.isprintable() or not _BLANK.isdisjoint(text):
        return False
    return any(unicodedata.category(character)[0] in _SEEN for character in text)


def escape_unprintable(text: str) -> str:
    """*text* as a terminal may have it: what :func:`is_plain` refuses is written as ``\\x1b``, ``\\u202e`` …"""
    if text.isprintable():
        return text
    return "".join(character if is_plain(character) else ascii(character)[1:-1] for character in text)
