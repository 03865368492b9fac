"""Where a program keeps the tokens of a person: what it promises, a mapping, and a file."""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import AbstractContextManager
from pathlib import Path
from threading import RLock
from typing import Any, Protocol

from ...errors import ConfigurationError
from ...jose import jose
from .tokens import PersonTokens

MAX_FILE_BYTES = 1 << 20


class TokenStore(Protocol):
    """The place of one person's tokens. An application can write its own, over its database for example.

    It must keep the tokens from everybody else's eyes, and :meth:`save` must replace the old tokens in one step: a
    refresh token that was renewed is worthless, so its successor may not be lost.
    """

    def load(self) -> PersonTokens | None:
        """What was saved last; ``None`` if there is nothing."""

    def save(self, tokens: PersonTokens) -> None:
        """Keep *tokens* instead of what is there. When it returns, they are there to stay."""

    def delete(self) -> None:
        """Forget the tokens; nothing to do if there are none."""

    def exclusive(self) -> AbstractContextManager[Any]:
        """Entered while tokens are renewed: everybody else who shares this place waits, so that only one renews."""


class MappingTokenStore:
    """Keeps the tokens under one name of a mapping: a session that is stored on the server, a dict, a shelf.

    Not for Flask's own session, whose content is in the browser's cookie: people, and everybody who reads their disk,
    would have the tokens.

    :param mapping: Its values must be able to hold JSON.
    :param name: The name to use in it; a name of its own for each person, if the mapping is shared.
    """

    def __init__(self, mapping: MutableMapping[str, Any], name: str = "person_tokens") -> None:
        self._mapping = mapping
        self._name = name
        self._lock = RLock()

    def load(self) -> PersonTokens | None:
        """See :meth:`TokenStore.load`.

        :raises ConfigurationError: Something else is there.
        """
        kept = self._mapping.get(self._name)
        return None if kept is None else PersonTokens.from_json(kept)

    def save(self, tokens: PersonTokens) -> None:
        """See :meth:`TokenStore.save`."""
        self._mapping[self._name] = tokens.to_json()

    def delete(self) -> None:
        """See :meth:`TokenStore.delete`."""
        self._mapping.pop(self._name, None)

    def exclusive(self) -> AbstractContextManager[Any]:
        """See :meth:`TokenStore.exclusive`: the threads that use this object."""
        return self._lock


class FileTokenStore:
    """Keeps the tokens in a file that only its owner can read: for programs on a person's own machine.

    A new file replaces the old one in one step, after it is on the disk. Several processes may share it.

    :param path: The file; its folder must exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = RLock()

    def __repr__(self) -> str:
        return f"<FileTokenStore {str(self.path)!r}>"

    def load(self) -> PersonTokens | None:
        """See :meth:`TokenStore.load`.

        :raises ConfigurationError: The file cannot be read, others may read it, or it has other content.
        """
        try:
            with open(self.path, "rb") as file:
                _check_private(file.fileno(), self.path)
                content = file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise _unusable(self.path, "read", error) from None
        try:
            return PersonTokens.from_json(jose.load_json_object(content[:MAX_FILE_BYTES], "file"))
        except (jose.JoseProblem, ConfigurationError):
            raise ConfigurationError(f"{self.path} holds something else than tokens. Nothing was changed.") from None

    def save(self, tokens: PersonTokens) -> None:
        """See :meth:`TokenStore.save`.

        :raises ConfigurationError: The file cannot be written; the old one is still there.
        """
        content = json.dumps(tokens.to_json(), indent=2).encode() + b"\n"
        try:
            replace_file(self.path, content)
        except (OSError, ValueError) as error:
            raise _unusable(self.path, "written", error) from None

    def delete(self) -> None:
        """See :meth:`TokenStore.delete`.

        :raises ConfigurationError: The file cannot be removed.
        """
        try:
            self.path.unlink(missing_ok=True)
        except (OSError, ValueError) as error:
            raise _unusable(self.path, "removed", error) from None

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """See :meth:`TokenStore.exclusive`: the threads and the processes of this machine.

        :raises ConfigurationError: The file beside it, which is locked, cannot be written.
        """
        with self._lock, contextlib.ExitStack() as stack:
            try:
                stack.enter_context(_locked(self.path.with_name(self.path.name + ".lock")))
            except (OSError, ValueError) as error:
                raise _unusable(self.path, "locked", error) from None
            yield


def replace_file(path: Path, content: bytes) -> None:
    """Write a file for its owner's eyes, in one step: whoever reads it meanwhile gets the old content or the new.

    :raises OSError: It cannot be written; the old content is still there.
    """
    # mkstemp makes it with mode 0600, under a name that nobody else can have taken.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)  # and with that the lock ends


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _check_private(descriptor: int, path: Path) -> None:
    if sys.platform == "win32":
        return
    status = os.fstat(descriptor)
    if status.st_uid not in (os.geteuid(), 0):
        raise ConfigurationError(f"{path} belongs to another user, who may have put other tokens there. Not used.")
    if mode := status.st_mode & 0o077:
        raise ConfigurationError(
            f"{path} can be read by others than its owner (mode {mode:03o} beyond 0600): its tokens may be known to "
            "them. Sign out, remove it, and sign in again."
        )


def _unusable(path: Path, what: str, error: Exception) -> ConfigurationError:
    cause = (error.strerror if isinstance(error, OSError) else None) or "no path at all"
    return ConfigurationError(f"{path} cannot be {what}: {cause}.")
