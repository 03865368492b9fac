"""Step 2: who asks. A new method is one file and one line of the table, which decides what is tried and published."""

from . import assertion, client_secret_basic, client_secret_jwt, client_secret_post, private_key_jwt, public
from .base import ClientAuthMethod
from .shared_secret import are_secrets_open, if_switched_on

CLIENT_AUTH_METHODS = (
    # Before the line that takes every assertion: the header of one with a MAC says so.
    ClientAuthMethod(
        client_secret_jwt.METHOD,
        if_switched_on(client_secret_jwt.ClientSecretJWTAuthentication),
        is_tried=client_secret_jwt.is_tried,
        has_keys=False,
        for_operators_clients=True,
        is_open=are_secrets_open,
        describe=client_secret_jwt.describe,
    ),
    ClientAuthMethod(
        private_key_jwt.METHOD,
        private_key_jwt.PrivateKeyJWTAuthentication,
        is_tried=assertion.has_assertion,
        is_usual=True,
        describe=private_key_jwt.describe,
    ),
    ClientAuthMethod(
        client_secret_basic.METHOD,
        if_switched_on(client_secret_basic.ClientSecretBasicAuthentication),
        is_tried=client_secret_basic.is_tried,
        has_keys=False,
        for_operators_clients=True,
        is_open=are_secrets_open,
    ),
    ClientAuthMethod(
        client_secret_post.METHOD,
        if_switched_on(client_secret_post.ClientSecretPostAuthentication),
        is_tried=client_secret_post.is_tried,
        has_keys=False,
        for_operators_clients=True,
        is_open=are_secrets_open,
    ),
    ClientAuthMethod(
        public.METHOD,
        public.PublicClients,
        is_tried=public.is_tried,
        has_keys=False,
        proves_identity=False,
        is_open=public.is_open,
    ),
)
"""The methods to authenticate, in the order in which they are tried; the usual one refuses requests that try none."""
