"""Five failed sign-ins for each name and address in 15 minutes, counted in the database: all workers count together."""

from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from time import time

from sqlalchemy import BigInteger, Integer, String, delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from .database import db

MAX_FAILURES = 5
WINDOW_SECONDS = 15 * 60


class SignInAttempt(db.Model):  # type: ignore[misc, name-defined]  # comes without types
    """A sign-in that failed, or is being checked right now."""

    __tablename__ = "demo_sign_in_attempt"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of name and address, in hex, because people may type their password as the name by mistake."""
    place: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """1 to :data:`MAX_FAILURES`. Two attempts never get the same: the primary key sees to that, not a count."""
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True)


def take_attempt(name: str, address: str | None) -> int:
    """Count an attempt *before* its password is checked, so that many at once are not all checked.

    :return: 0, or for how many seconds nothing will be checked for this name from this address.
    """
    digest, now = _digest(name, address), int(time())
    attempts = SignInAttempt.__table__
    with db.engine.begin() as connection:
        connection.execute(delete(attempts).where(attempts.c.expires_at <= now))
    for place in range(1, MAX_FAILURES + 1):
        try:
            with db.engine.begin() as connection:
                row = {"digest": digest, "place": place, "expires_at": now + WINDOW_SECONDS}
                connection.execute(insert(attempts), row)
        except IntegrityError:
            continue
        return 0
    with db.engine.begin() as connection:
        first = connection.scalar(select(func.min(attempts.c.expires_at)).where(attempts.c.digest == digest))
    return max(1, int(first or now) - now)


def forget_attempts(name: str, address: str | None) -> None:
    """Begin anew after a success."""
    attempts = SignInAttempt.__table__
    with db.engine.begin() as connection:
        connection.execute(delete(attempts).where(attempts.c.digest == _digest(name, address)))


def _digest(name: str, address: str | None) -> str:
    return sha256(f"{_network(address)}\x00{name}".encode()).hexdigest()


def _network(address: str | None) -> str:
    """The address; of IPv6 the /64, in which one household or attacker has every address."""
    try:
        found = ip_address(address or "")
    except ValueError:  # a Unix socket, say
        return str(address)
    return str(ip_network((found, 64), strict=False)) if isinstance(found, IPv6Address) else str(found)
