"""``flask oauth2 client from-authlib``: takes over clients, with their secrets, from a table of Authlib's."""

import click
import flask
import sqlalchemy as sa
from flask.cli import with_appcontext
from sqlalchemy.exc import SQLAlchemyError

from ...settings.values import read_moment
from ..readable_text import escape_unprintable
from ..registration.authlib_client import AuthlibClient, NotTakenOver, take_over
from ..state import current_state
from .input import give_up, readable_errors
from .output import count, json_option, print_json, print_line


@click.command("from-authlib")
@click.argument("table")
@click.option("--database", metavar="URL", help="SQLAlchemy URL of the database; default: the app's own.")
@click.option("--until", metavar="DATE", help="The clients' own date, in UTC: from then on their secrets are refused.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@json_option("Print what became of each client as JSON.")
@with_appcontext
def from_authlib(table: str, database: str | None, until: str | None, dry_run: bool, as_json: bool) -> None:
    """Take over the clients in TABLE, made with Authlib's OAuth2ClientMixin, with their secrets.

    No secret is shown or stored in plain text. TABLE is only read. What was taken over before stays as it is, so the
    command may run again.
    """
    if until is not None:
        try:
            read_moment(until)
        except ValueError as error:
            give_up(f"--until {until} {error}.")
    clients, rows = current_state().clients, []
    for found in _read(table, database):
        name = str(found.client_id)[:255]
        try:
            with readable_errors():
                notes = take_over(clients, found, until=until, dry_run=dry_run)
        except NotTakenOver as problem:
            click.echo(escape_unprintable(f"{name}: not taken over: {problem}."), err=True)
            rows.append({"client_id": name, "taken_over": False, "why": str(problem)})
            continue
        rows.append({"client_id": name, "taken_over": True, "notes": [str(note) for note in notes]})
        if not as_json:
            print_line("; ".join([f"{name}: {'would be taken over' if dry_run else 'taken over'}", *notes]))
    if as_json:
        print_json({"changed": not dry_run, "clients": rows})
    taken = sum(bool(row["taken_over"]) for row in rows)
    click.echo(f"{count(taken, 'client')}.{' Nothing was changed.' if dry_run else ''}", err=True)


def _read(name: str, url: str | None) -> list[AuthlibClient]:
    """The rows of the table, or give up."""
    engine = flask.current_app.extensions["sqlalchemy"].engine if url is None else sa.create_engine(url)
    schema, _, bare = name.rpartition(".")
    columns = ("client_id", "client_secret", "client_secret_expires_at", "client_metadata")
    table = sa.table(bare, *(sa.column(column) for column in columns), schema=schema or None)
    try:
        with engine.connect() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.client_id)).all()
    except SQLAlchemyError as error:
        # The error's text could hold the URL, and with it a password.
        give_up(f"The table {name!r} cannot be read as one of Authlib's clients: {type(error).__name__}.")
    finally:
        if url is not None:
            engine.dispose()
    return [AuthlibClient(*row) for row in rows]
