"""The catalogues of the current app."""

import logging
from pathlib import Path

import flask

from ..state import EXTENSION_KEY, State
from ..wording.catalogues import DOMAIN, Catalogues

log = logging.getLogger("flask_private_key_jwt")

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
        for name, folder in zip(own, folders, strict=False):
            if not any(folder.glob(f"*/LC_MESSAGES/{DOMAIN}.mo")):
                log.warning("OAUTH2_TRANSLATIONS names %r, where there is no */LC_MESSAGES/%s.mo", name, DOMAIN)
        found = extensions[_CATALOGUES] = Catalogues(folders, only=only)
    return found
