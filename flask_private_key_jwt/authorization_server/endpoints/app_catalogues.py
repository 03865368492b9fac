"""The catalogues of the current app."""

from pathlib import Path

import flask

from ..state import EXTENSION_KEY, State
from ..wording.catalogues import Catalogues

_CATALOGUES = f"{EXTENSION_KEY}_catalogues"


def load_catalogues() -> Catalogues:
    """The catalogues of the current app: those of its own folders and of Flask-Babel's in front of ours."""
    # At the first page, not in init_app: the application may set up Flask-Babel later.
    extensions = flask.current_app.extensions
    found = extensions.get(_CATALOGUES)
    if found is None:
        state = extensions.get(EXTENSION_KEY)
        own, only = (state.settings.TRANSLATIONS, state.settings.LANGUAGES) if isinstance(state, State) else ((), ())
        babel = getattr(extensions.get("babel"), "translation_directories", ())
        folders = [Path(flask.current_app.root_path, folder) for folder in (*own, *babel)]
        found = extensions[_CATALOGUES] = Catalogues(folders, only=only)
    return found
