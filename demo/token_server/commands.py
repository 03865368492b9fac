"""``flask demo-user``: who may sign in at the demo."""

import click
from flask.cli import AppGroup

from .users import NameTaken, add_user

demo_user = AppGroup("demo-user", help="People who may sign in at the demo's token server.")


@demo_user.command("add")
@click.argument("name")
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True, help="Asked for when not given.")
def add(name: str, password: str) -> None:
    """Let NAME sign in with a password; only a hash of it is kept."""
    try:
        user = add_user(name, password)
    except NameTaken as error:
        raise click.ClickException(f"There is a person named {str(error)!r} already.") from None
    except ValueError as error:
        raise click.ClickException(f"{name!r} {error}.") from None
    click.echo(f"{user.name} may sign in. The sub of their tokens is {user.id}.")
