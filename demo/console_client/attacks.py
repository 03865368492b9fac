"""Four attacks on ``mobile-dpop-client``. Each must be refused, while the owner's own request must succeed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from flask_private_key_jwt.client import Prover, generate_key

from .caller import Caller, Exchange, send
from .outcomes import Note, Outcome, ignore
from .show import Show
from .walk import WentWrong, check_token_response


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request and what must become of it."""

    story: str
    exchange: Exchange
    status: int
    errors: Sequence[str] = ()
    """The error codes that say it was refused for the right cause."""

    @property
    def went_as_it_must(self) -> bool:
        """Whether status and error are those expected."""
        return self.exchange.status == self.status and (not self.errors or self.exchange.error in self.errors)


def run_attacks(names: Sequence[str], caller: Caller, show: Show, note: Note = ignore) -> None:
    """Run the attacks in turn, all of them even when one succeeds.

    :param note: Takes what became of each request.
    :raises WentWrong: One succeeded, or failed for another cause than it must.
    """
    succeeded = [name for name in names if not attack(name, caller, show, note)]
    if succeeded:
        raise WentWrong(f"Not refused as it must be: {', '.join(succeeded)}.")


def attack(name: str, caller: Caller, show: Show, note: Note) -> bool:
    """Run one attack and show it; whether everything went as it must."""
    title, run = ATTACKS[name]
    show.title(f"Attack {name}: {title}")
    as_it_must = True
    for attempt in run(caller):
        show.step(attempt.story)
        show.exchange(attempt.exchange)
        note(Outcome(attempt.story.rstrip("."), attempt.exchange, attempt.went_as_it_must, during_attack=True))
        if not attempt.went_as_it_must:
            due = f"{attempt.status} {' or '.join(attempt.errors)}".strip()
            show.bad(f"This must not be: {attempt.exchange.status} {attempt.exchange.error or ''} where {due} was due.")
            as_it_must = False
        elif attempt.status >= 400:
            show.good(f"Refused: {attempt.exchange.error}.")
    return as_it_must


# --- the attacks ----------------------------------------------------------------------------------------
def stolen_token(caller: Caller) -> Iterator[Attempt]:
    """Send a DPoP token without a proof, under both schemes (RFC 9449 §7.1)."""
    token = honest_token(caller)
    yield Attempt("The owner calls the API with the token and a proof.", caller.call_api(token), 200)
    for scheme in ("Bearer", "DPoP"):
        sent = send("GET", caller.values_url, headers={"Authorization": f"{scheme} {token}"})
        yield Attempt(f"The thief sends the same token as {scheme}, without a proof.", sent, 401, REFUSED_BY_API)


def other_key(caller: Caller) -> Iterator[Attempt]:
    """Send a DPoP token with a proof that is right except for its key (RFC 9449 §6)."""
    token = honest_token(caller)
    owners = caller.call_api(token)
    yield Attempt("The owner calls the API with the token and a proof.", owners, 200)
    thief = Prover(generate_key())
    thief.learn(owners.answer_headers)  # a nonce is no secret
    sent = caller.call_api_with(thief, token)
    yield Attempt("The thief sends the same token with a flawless proof of another key.", sent, 401, REFUSED_BY_API)


def replayed_proof(caller: Caller) -> Iterator[Attempt]:
    """Send a request again, proof included (RFC 9449 §11.1)."""
    token = honest_token(caller)
    first = caller.call_api(token)
    yield Attempt("The owner calls the API.", first, 200)
    again = send("GET", first.url, headers=first.headers)
    yield Attempt("Somebody sends the very same request again.", again, 401, REFUSED_BY_API)
    yield Attempt("The owner goes on, with the same token and a fresh proof.", caller.call_api(token), 200)


def replayed_assertion(caller: Caller) -> Iterator[Attempt]:
    """Send a client assertion again, with a fresh proof (RFC 7523 §3, item 7)."""
    token_endpoint = caller.discover().token_endpoint
    assertion = caller.build_assertion()
    yield Attempt("The owner asks for a token.", caller.ask_token(token_endpoint, assertion), 200)
    again = caller.ask_token(token_endpoint, assertion)
    yield Attempt("Somebody asks with the same assertion.", again, 400, ("invalid_client",))
    fresh = caller.ask_token(token_endpoint, caller.build_assertion())
    yield Attempt("The owner goes on, with a fresh assertion.", fresh, 200)


REFUSED_BY_API = ("invalid_token", "invalid_dpop_proof")
ATTACKS: dict[str, tuple[str, Callable[[Caller], Iterator[Attempt]]]] = {
    "stolen-token": ("a thief has the access token, but not the key it is bound to", stolen_token),
    "other-key": ("the thief proves a key of their own", other_key),
    "replayed-proof": ("a whole request, proof included, is sent a second time", replayed_proof),
    "replayed-assertion": ("a client assertion is sent a second time, with a fresh proof", replayed_assertion),
}
"""Name -> what it is, and how it is done."""


def honest_token(caller: Caller) -> str:
    """A token as its owner gets it.

    :raises WentWrong: The server gave none.
    """
    return check_token_response(caller.ask_token(caller.discover().token_endpoint, caller.build_assertion()), caller)
