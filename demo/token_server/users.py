"""The demo's people: a name, and a password of which only a hash is kept."""

import secrets

from flask_login import UserMixin
from sqlalchemy import CheckConstraint, String, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.security import check_password_hash, generate_password_hash

from .database import db

MAX_NAME_CHARACTERS = 64
MAX_PASSWORD_CHARACTERS = 256

_METHOD = "scrypt:32768:8:1"
_NOBODYS_HASH = f"{_METHOD}$nobody${'0' * 128}"
"""A hash that takes as long to check as any other, and that no password matches."""


class NameTaken(Exception):
    """A person of this name is there already."""


class User(UserMixin, db.Model):  # type: ignore[misc, name-defined]  # both come without types
    """A person who may sign in."""

    __tablename__ = "demo_user"
    __table_args__ = (
        CheckConstraint("id <> ''", name="ck_demo_user_id"),
        CheckConstraint("name <> ''", name="ck_demo_user_name"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """The ``sub`` of this person's tokens: random, so that it is never reused, as a name or a number might be."""
    name: Mapped[str] = mapped_column(String(MAX_NAME_CHARACTERS), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))


def normalise_name(typed: str) -> str:
    """A name as it is kept: ``" Alice"`` and ``"alice"`` are the same person, and the same in the count of failures.

    :raises ValueError: It cannot be anybody's name; the message is the end of a sentence.
    """
    name = typed.strip().casefold()
    if not 0 < len(name) <= MAX_NAME_CHARACTERS:
        raise ValueError(f"has {len(name)} characters, not 1 to {MAX_NAME_CHARACTERS}")
    if not name.isprintable():
        raise ValueError("holds characters that cannot be printed")
    return name


def add_user(typed_name: str, password: str) -> User:
    """Let somebody sign in from now on.

    :raises ValueError: Name or password cannot be used; the message is the end of a sentence.
    :raises NameTaken: Somebody has this name.
    """
    name = normalise_name(typed_name)
    if not 0 < len(password) <= MAX_PASSWORD_CHARACTERS:
        raise ValueError(f"has a password of {len(password)} characters, not 1 to {MAX_PASSWORD_CHARACTERS}")
    user = User(id=secrets.token_hex(16), name=name, password_hash=generate_password_hash(password, _METHOD))
    db.session.add(user)
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        raise NameTaken(name) from None
    return user


def find_user(name: str) -> User | None:
    """The person of exactly this normalised name."""
    user = db.session.scalars(select(User).where(User.name == name)).first()
    return user if user is not None and user.name == name else None  # some databases fold accents


def find_user_by_password(name: str, password: str) -> User | None:
    """The person of this normalised name, if the password is theirs.

    It takes as long for an unknown name, so that the time does not tell which names exist.
    """
    user = find_user(name)
    is_right = check_password_hash(user.password_hash if user else _NOBODYS_HASH, password)
    return user if is_right else None
