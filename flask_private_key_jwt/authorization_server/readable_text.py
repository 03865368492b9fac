"""Which strings from clients a person may see, on a page or in a terminal."""

import unicodedata

CONTROLS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that control a terminal or reverse the text around them: controls, formats, line ends …"""
_SEEN = ("L", "N", "P", "S")
_BLANK = frozenset(
    "\u115f\u1160\u3164\uffa0"  # fillers of Hangul
    "\u2800"  # the Braille pattern without dots
    "\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f"  # Default_Ignorable_Code_Point, but for the variation selectors
    "\U0001d159\U00013441\U00013442\U00016fe4"  # an empty note head, two hieroglyphs, a filler of Khitan
)
"""Characters that nobody can see, though their category is that of letters, symbols or marks."""


def is_plain(text: str) -> bool:
    """Whether *text* has no control, format or line end character: a terminal or a page would obey it."""
    return not any(unicodedata.category(character) in CONTROLS for character in text)


def is_visible_name(text: str) -> bool:
    """Whether *text* has a visible character, and none that is hidden."""
    if not text.isprintable() or not _BLANK.isdisjoint(text):
        return False
    return any(unicodedata.category(character)[0] in _SEEN for character in text)


def escape_unprintable(text: str) -> str:
    """*text* made safe for a terminal: what :func:`is_plain` refuses is written as ``\\x1b``, ``\\u202e`` …"""
    if text.isprintable():
        return text
    return "".join(character if is_plain(character) else ascii(character)[1:-1] for character in text)
