"""What a scope or a resource means, in words for a person and in their language."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...errors import ConfigurationError
from ...settings.values import OFFLINE_ACCESS
from .catalogues import ENGLISH, N_

OPENID = "openid"
WORDS_FOR_OFFLINE_ACCESS = N_("All of this while you are away, too")
"""What the scope ``offline_access`` allows (OpenID Connect Core §11), with or without ``openid``."""
WORDS_FOR_OPENID_SCOPES = {
    OPENID: N_("Who you are: the identifier of your account"),
    "profile": N_("Your profile, such as your name, picture and date of birth"),
    "email": N_("Your email address"),
    "address": N_("Your postal address"),
    "phone": N_("Your phone number"),
}
"""What the scopes of a request with ``openid`` allow (OpenID Connect Core §5.4)."""

DescribeScope = Callable[[str, str], str | None]
"""A scope, or the URI of a resource, and a language tag -> words for a person, or ``None``: there are none."""
Described = str | Mapping[str, str]
"""The words for a scope or a resource: a string, or one string for each language tag."""


@dataclass(frozen=True, slots=True)
class Wording:
    """The words for scopes and resources on one page, in one language.

    :param language: The page's language tag.
    :param translate: Translates a message of the package.
    :param described: ``OAUTH2_SCOPE_DESCRIPTIONS``.
    :param describe: The application's function, if it has one; it is asked first.
    """

    language: str = ENGLISH
    translate: Callable[[str], str] = str
    described: Mapping[str, Described] | None = None
    describe: DescribeScope | None = None

    def describe_scope(self, scope: str, *, has_openid: bool) -> str:
        """What *scope* allows; if there are no words for it, the scope itself.

        :param has_openid: Whether the request has the scope ``openid``; without it, ``email`` and the others are the
            application's own.
        :raises ConfigurationError: The application's function returned something else than words.
        """
        if (words := self._find(scope)) is not None:
            return words
        if scope == OFFLINE_ACCESS:
            return self.translate(WORDS_FOR_OFFLINE_ACCESS)
        standard = WORDS_FOR_OPENID_SCOPES.get(scope) if has_openid else None
        return scope if standard is None else self.translate(standard)

    def describe_resource(self, uri: str) -> str | None:
        """What the resource at *uri* is; ``None``: there are no words for it.

        :raises ConfigurationError: The application's function returned something else than words.
        """
        return self._find(uri)

    def _find(self, name: str) -> str | None:
        if self.describe is not None:
            words = self.describe(name, self.language)
            if words is not None and not isinstance(words, str):
                kind = type(words).__name__
                raise ConfigurationError(f"@oauth.describe_scope returned {kind} for {name!r}, not words or None.")
            if words:
                return words
        described = (self.described or {}).get(name)
        if described is None or isinstance(described, str):
            return described
        # Words in another language are better than a scope token.
        parts = self.language.split("-")
        tags = ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]
        return next((described[tag] for tag in (*tags, ENGLISH) if tag in described), next(iter(described.values())))
