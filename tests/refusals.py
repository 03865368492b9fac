"""What tests note of the requests that an app refuses: the private reason of each, with its cause."""

from flask_private_key_jwt.testing.refusals import Refusal, noting_refusals
from flask_private_key_jwt.testing.refusals import find_causes as causes

__all__ = ["Refusal", "causes", "noting_refusals"]
