"""Gettext catalogues: those of the package, and in front of them those of the application."""

import logging
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from markupsafe import Markup, escape

from .languages import find_language

log = logging.getLogger("flask_private_key_jwt")

DOMAIN = "private_key_jwt"
"""The name of the catalogues: ``FOLDER/de/LC_MESSAGES/private_key_jwt.mo``."""
FOLDER = Path(__file__).parent / "translations"
"""Where the catalogues of the package are."""
ENGLISH = "en"
"""The language that the messages in the code are in; it needs no catalogue."""


def N_(message: str) -> str:  # noqa: N802 - the usual name in gettext
    """Mark a message for the catalogues where it is written; it is translated where it is shown."""
    return message


class Catalogues:
    """The languages that pages can be in, and the words of each.

    :param folders: Folders of the application's own catalogues; the first that has a message wins. They may have only
        some messages, or languages that the package does not have.
    :param only: The language tags that pages may be in, the usual one first; empty: all that there are, English first.
    """

    def __init__(self, folders: Iterable[Path] = (), *, only: Sequence[str] = ()) -> None:
        self._files: dict[str, list[Path]] = {ENGLISH: []}
        for folder in (*folders, FOLDER):
            for file in sorted(folder.glob(f"*/LC_MESSAGES/{DOMAIN}.mo")):
                language = file.parent.parent.name.replace("_", "-")
                self._files.setdefault(language, []).append(file)
        if only:
            self._files = self._choose(only)
        self._loaded: dict[str, NullTranslations] = {}

    def _choose(self, only: Sequence[str]) -> dict[str, list[Path]]:
        chosen: dict[str, list[Path]] = {}
        for tag in only:
            found = find_language([tag], self._files)
            if found is None:
                log.warning("OAUTH2_LANGUAGES names %r, for which there is no catalogue", tag)
            else:
                chosen[tag] = self._files[found]
        return chosen or {ENGLISH: self._files[ENGLISH]}

    @property
    def languages(self) -> tuple[str, ...]:
        """Their language tags; the first is for those who want none of them."""
        return tuple(self._files)

    def find(self, language: str) -> Callable[[str], str]:
        """What translates a message into one of :attr:`languages`; what a catalogue lacks stays English."""
        found = self._loaded.get(language)
        if found is None:
            found = self._loaded[language] = _load(self._files[language])
        return found.gettext


def _load(files: Iterable[Path]) -> NullTranslations:
    first: NullTranslations | None = None
    for file in files:
        try:
            with file.open("rb") as opened:
                catalogue = GNUTranslations(opened)
        except (OSError, ValueError, struct.error) as error:  # a page in English is better than none
            log.warning("the catalogue %s cannot be read: %s", file, error)
            continue
        if first is None:
            first = catalogue
        else:
            first.add_fallback(catalogue)
    return first or NullTranslations()


def fill(message: str, translated: str, values: Mapping[str, object]) -> Markup:
    """A translated message as HTML: message and values are escaped, except values that are ``Markup`` already.

    If the translation has other places for values than the message, the English message is used.
    """
    try:
        return Markup(escape(translated)) % values if values else Markup(escape(translated))  # noqa: S704 - escaped
    except (KeyError, TypeError, ValueError):
        log.warning("the translation %r does not fit the message %r", translated, message)
        return Markup(escape(message)) % values  # noqa: S704 - escaped
