"""Write what docs/causes.md says of each cause to where ``flask oauth2 explain`` reads it: ``make causes``.

A test holds the file against the page.
"""

import json
import re

from .docstrings import CHECKOUT

PAGE = CHECKOUT / "docs" / "causes.md"
FILE = CHECKOUT / "flask_private_key_jwt" / "authorization_server" / "explain" / "causes.json"
_ROW = re.compile(r"^\| `(.+?)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


def build() -> str:
    """The rows of the page, as JSON: section, cause, what it means, what to do."""
    rows = []
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        rows += [[heading, *row] for row in _ROW.findall(text)]
    return json.dumps(rows, indent=0, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(build(), encoding="utf-8")
