"""Where this checkout is; programs that a test starts run there, so that they load this code and no other."""

from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
