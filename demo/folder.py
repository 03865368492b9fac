"""Where the demo keeps what it makes: private keys, databases, a secret. Nothing of it is in the repository."""

import os
from pathlib import Path

FOLDER = Path(os.environ.get("DEMO_FOLDER") or Path(__file__).parent.parent / ".demo").resolve()
"""``.demo`` in the checkout, or what the environment variable ``DEMO_FOLDER`` names."""


def secret_file(server: str) -> Path:
    """Where the secret of ``token_server`` or ``resource_server`` is kept."""
    return FOLDER / f"{server}.secret"


def read_secret(server: str) -> str | None:
    """The secret that ``python -m demo.prepare`` made for *server*, if it did."""
    file = secret_file(server)
    return file.read_text() if file.exists() else None
