"""Step 2: who asks. A new method is one file and one line of the table, which decides what is tried and published."""

from . import private_key_jwt, public
from .base import ClientAuthMethod

CLIENT_AUTH_METHODS = (
    ClientAuthMethod(
        private_key_jwt.METHOD,
        private_key_jwt.PrivateKeyJWTAuthentication,
        is_tried=private_key_jwt.is_tried,
        describe=private_key_jwt.describe,
    ),
    ClientAuthMethod(
        public.METHOD,
        public.PublicClients,
        is_tried=public.is_tried,
        proves_identity=False,
        is_open=public.is_open,
    ),
)
"""The methods to authenticate, in the order in which they are tried; the first one refuses requests that try none."""
