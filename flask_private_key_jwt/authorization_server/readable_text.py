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

SHORT_NAME_CHARACTERS = 60
"""Longest name of a stranger that a page shows."""
_LOOK_ALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "DESERET", "GOTHIC"})
"""Alphabets with letters that look the same, as the names of their letters call them."""


def is_plain(text: str) -> bool:
    """Whether *text* has no control, format or line end character: a terminal or a page would obey it."""
    return not any(unicodedata.category(character) in CONTROLS for character in text)


def is_visible_name(text: str) -> bool:
    """Whether *text* has a visible character, and none that is hidden."""
    if not text.isprintable() or not _BLANK.isdisjoint(text):
        return False
    return any(unicodedata.category(character)[0] in _SEEN for character in text)


def find_short_name(name: str) -> str | None:
    """A name that a stranger chose, so that it harms nothing beside it; ``None``: it could be mistaken for another.

    It is truncated to :data:`SHORT_NAME_CHARACTERS`. Of combining marks at most two in a row stay, because a pile of
    them covers the lines above. A name with letters of several alphabets that resemble each other is not shown, because
    that is how names are imitated (Unicode Technical Standard 39 §5.1).
    """
    text = unicodedata.normalize("NFKC", name)  # wide, bold and other forms of a letter become the letter itself
    if not is_visible_name(text) or len({_alphabet_of(character) for character in text} & _LOOK_ALIKE) > 1:
        return None
    kept = ""
    for character in text:
        if not (_is_mark(character) and len(kept) >= 2 and all(map(_is_mark, kept[-2:]))):
            kept += character
    return kept if len(kept) <= SHORT_NAME_CHARACTERS else kept[: SHORT_NAME_CHARACTERS - 1].rstrip() + "…"


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def _alphabet_of(character: str) -> str:
    """The first word of a letter's Unicode name, which for these alphabets is the alphabet."""
    return unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else ""


def escape_unprintable(text: str) -> str:
    """*text* made safe for a terminal: what :func:`is_plain` refuses is written as ``\\x1b``, ``\\u202e`` …"""
    if text.isprintable():
        return text
    return "".join(character if is_plain(character) else ascii(character)[1:-1] for character in text)
