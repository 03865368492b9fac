"""What a refusal page tells a person: one of a few kinds of fault, and what to do. It never gives details."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ... import errors
from ...errors import OAuthError
from ..wording.catalogues import N_


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault in words for a person; the same words for every fault of this kind."""

    kind: str
    """A constant name, for the application's own templates."""
    title: str
    advice: str


FAULTY_REQUEST = Fault(
    "faulty_request",
    N_("The request is not in order"),
    N_("The application sent something that this server cannot take. Tell whoever runs the application."),
)

FAULTS: tuple[tuple[tuple[type[OAuthError], ...], Fault], ...] = (
    (
        (errors.InvalidRequestURI,),
        Fault(
            "expired_link",
            N_("This link has expired"),
            N_("It was used before, or too much time has passed. Go back to the application and start again."),
        ),
    ),
    (
        (errors.InteractionRefused,),
        Fault(
            "page_out_of_date",
            N_("This page is out of date"),
            N_("Too much time has passed, or somebody else has signed in. Go back to the application and start again."),
        ),
    ),
    (
        (errors.UnusableClient,),
        Fault(
            "unknown_application",
            N_("This application is not known here"),
            N_("It is not registered, or it may not be used at present. Tell whoever runs the application."),
        ),
    ),
    (
        (errors.UnusableRedirectURI,),
        Fault(
            "wrong_return_address",
            N_("The return address is wrong"),
            N_(
                "The application wants you sent to an address that is not registered for it, so you were not. "
                "Tell whoever runs the application."
            ),
        ),
    ),
    (
        (errors.InvalidRequestObject, errors.UnprotectedRequest),
        Fault(
            "unverified_request",
            N_("The request cannot be verified"),
            N_(
                "It is not signed as it must be, was changed on its way, or is too old. Go back to the application and "
                "start again."
            ),
        ),
    ),
    (
        (errors.LoginRequired, errors.ConsentRequired),
        Fault(
            "not_signed_in",
            N_("You have to sign in first"),
            N_(
                "The application asked who you are without letting you sign in or agree. Go back to it and sign in "
                "there."
            ),
        ),
    ),
    (
        (errors.UnusableAccount,),
        Fault(
            "unusable_account",
            N_("This account cannot be used here"),
            N_("It lacks what applications of this kind need. Use another account, or tell whoever runs this server."),
        ),
    ),
    (
        (
            errors.InvalidScope,
            errors.InvalidTarget,
            errors.UnauthorizedClient,
            errors.UnsupportedResponseType,
            errors.RegistrationNotSupported,
        ),
        Fault(
            "not_allowed",
            N_("The application may not do this"),
            N_("It asked for something that it cannot have here. Tell whoever runs the application."),
        ),
    ),
    (
        (errors.TemporarilyUnavailable, errors.ServerError),
        Fault("unavailable", N_("This does not work right now"), N_("Try again in a few minutes.")),
    ),
    (
        (errors.NotOffered,),
        Fault(
            "not_offered", N_("There is no such page here"), N_("This server does not offer what the link asks for.")
        ),
    ),
)
"""Refusals -> the fault that a person reads about; for all other refusals it is :data:`FAULTY_REQUEST`."""


def find_fault(refusal: OAuthError) -> Fault:
    """The fault that a person reads about for *refusal*."""
    return next((fault for kinds, fault in FAULTS if isinstance(refusal, kinds)), FAULTY_REQUEST)


def translate(fault: Fault, words: Callable[[str], str]) -> Fault:
    """*fault* in the words of another language."""
    return replace(fault, title=words(fault.title), advice=words(fault.advice))
