"""Whether a scope is among those that somebody has: the same string, or what the application's own matcher says."""

from collections.abc import Callable, Collection, Sequence

from ..database.deadline import outside_budget
from ..errors import ConfigurationError

ScopeMatcher = Callable[[str, str], bool]
"""A wanted scope and one that somebody has -> whether the second allows the first.

Called with strings that clients chose, for each pair that is not the same string. It returns ``True`` or ``False``.
"""


def is_covered(wanted: str, held: Collection[str], matchers: Sequence[ScopeMatcher]) -> bool:
    """Whether *wanted* is in *held*, or one of *held* allows it by a matcher of the application.

    Without a matcher ``*``, ``/``, ``.`` and ``?`` are characters like all others (RFC 6749 §3.3).

    :raises ConfigurationError: A matcher failed, or returned something else than a boolean.
    """
    return wanted in held or any(_ask(matcher, wanted, scope) for matcher in matchers for scope in sorted(held))


@outside_budget()
def _ask(matcher: ScopeMatcher, wanted: str, scope: str) -> bool:
    name = getattr(matcher, "__name__", type(matcher).__name__)
    try:
        answer = matcher(wanted, scope)
    except Exception as error:
        raise ConfigurationError(f"the scope matcher {name} raised {type(error).__name__}") from error
    if not isinstance(answer, bool):  # a regular expression's match object, or a coroutine, would count as yes
        raise ConfigurationError(f"the scope matcher {name} returned {type(answer).__name__}, not a boolean")
    return answer
