"""``flask oauth2 …``: the operator's commands, one file for each group."""

from flask.cli import AppGroup

from .audit import audit, purge_audit
from .client import client_group
from .client_keys import add_key, keys, retire_key
from .client_list import list_clients
from .client_secrets import secret_group, secrets
from .doctor import doctor
from .explain import explain
from .from_authlib import from_authlib
from .grants import grants_group
from .key import key_group
from .maintenance import purge, secret
from .registration_token import registration_token_group
from .revoke import revoke

oauth2_group = AppGroup("oauth2", help="Run the OAuth 2 authorization server: its clients, keys and stores.")
oauth2_group.add_command(client_group)
for command in (list_clients, keys, add_key, retire_key, secret_group, secrets, from_authlib):
    client_group.add_command(command)
oauth2_group.add_command(doctor)
oauth2_group.add_command(explain)
oauth2_group.add_command(key_group)
oauth2_group.add_command(grants_group)
oauth2_group.add_command(registration_token_group)
oauth2_group.add_command(revoke)
oauth2_group.add_command(secret)
oauth2_group.add_command(purge)
oauth2_group.add_command(audit)
oauth2_group.add_command(purge_audit)

__all__ = ["oauth2_group"]
