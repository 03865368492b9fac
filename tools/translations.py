"""Keeps the catalogues of the pages: ``python -m tools.translations``.

It reads the messages in the templates and the code, updates the ``.po`` files, and compiles them. What a language lacks
is then empty in its ``.po`` file, and the command says how many there are.
"""

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from flask_private_key_jwt.authorization_server.wording.catalogues import DOMAIN, FOLDER

PACKAGE = Path(__file__).parent.parent / "flask_private_key_jwt"
METHODS = [
    ("templates/private_key_jwt/**.html", "jinja2"),
    ("authorization_server/**.py", "python"),
]
KEYWORDS = {"_": None, "N_": None}
LANGUAGES = ("de", "es", "fr")


class StableCatalog(Catalog):
    """A catalogue whose file does not say when it was made, and with which release of babel."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """The headers of the file."""
        return [("Content-Type", "text/plain; charset=utf-8")]


def extract() -> Catalog:
    """The messages that stand in the templates and in the code."""
    catalogue = Catalog(domain=DOMAIN, charset="utf-8", fuzzy=False)
    found = extract_from_dir(
        str(PACKAGE), METHODS, keywords=KEYWORDS, options_map={"templates/**.html": {"trimmed": "1"}}
    )
    for file, _line, message, _comments, _context in sorted(found, key=lambda item: (item[0], item[1])):
        # Without line numbers: a change elsewhere in a file is none to the catalogue.
        catalogue.add(message, locations=[(file, None)])  # type: ignore[list-item]  # babel writes the file alone
    return catalogue


def po_file(language: str) -> Path:
    """Where the translations into *language* are written."""
    return FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def build_po(language: str, template: Catalog) -> bytes:
    """The ``.po`` file of *language* with exactly the messages of *template*."""
    file = po_file(language)
    kept = read_po(io.BytesIO(file.read_bytes() if file.exists() else b""), locale=language)
    catalogue = Catalog(locale=language, domain=DOMAIN, charset="utf-8", fuzzy=False, header_comment="")
    for message in template:
        if message.id:
            before = kept.get(message.id)
            catalogue.add(message.id, before.string if before else "", locations=message.locations, flags=message.flags)
    out = io.BytesIO()
    write_po(out, catalogue, width=100, omit_header=True)
    header = f'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    return header.encode() + out.getvalue()


def build_mo(po: bytes) -> bytes:
    """A ``.po`` file, compiled."""
    out = io.BytesIO()
    catalogue = read_po(io.BytesIO(po))
    stable = StableCatalog(charset="utf-8", fuzzy=False)
    for message in catalogue:
        if message.id and message.string:
            stable.add(message.id, message.string)
    write_mo(out, stable)
    return out.getvalue()


def find_missing(po: bytes) -> list[str]:
    """The messages that a ``.po`` file does not translate."""
    return [str(message.id) for message in read_po(io.BytesIO(po)) if message.id and not message.string]


def main() -> int:
    """Write all files; 1 if something is not translated."""
    template, missing = extract(), 0
    for language in LANGUAGES:
        file = po_file(language)
        po = build_po(language, template)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(po)
        file.with_suffix(".mo").write_bytes(build_mo(po))
        missing += len(find_missing(po))
        print(f"{language}: {len(find_missing(po))} of {len(template)} messages are not translated")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
