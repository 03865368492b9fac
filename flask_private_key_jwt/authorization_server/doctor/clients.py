"""The clients that the database has: their keys, their use, and whether the rules in force would take them again."""

from collections.abc import Iterator

from ... import clock
from ...errors import InvalidClientMetadata
from ...jose import jose
from ..keys.client_key_state import DAY_SECONDS, EXPIRY_NOTICE_SECONDS
from ..keys.client_keys import read_jwks
from ..registered_client import RegisteredClient
from ..registration.metadata import describe_client
from .deployment import Deployment
from .finding import DeploymentRequirement, Finding, days, judge, list_some, met, name_some, shorten

UNUSED_SECONDS = 30 * DAY_SECONDS
"""After this time, a client that has never been used should have been."""
OLD_KEY_DAYS = 3 * 365
"""The longest that a private signature key should be used (NIST SP 800-57 Part 1 §5.3.6)."""
YEAR_DAYS = 365


def check_registrations(deployment: Deployment) -> Finding:
    """Each client could be registered today: rules and profile may have changed since it was."""
    problems = list(_find_refused(deployment))
    return judge(
        not problems,
        "The rules in force take every client as it is registered.",
        otherwise=f"The rules in force would not take {list_some(problems)}.",
        change="Change these clients (flask oauth2 client update), or disable them.",
    )


def _find_refused(deployment: Deployment) -> Iterator[str]:
    for client in _clients(deployment):
        try:
            deployment.state.clients.build(describe_client(client), registered_by=client.registered_by)
        except InvalidClientMetadata as problem:
            yield f"{shorten(client.client_id)} ({problem.reason})"


def check_key_strength(deployment: Deployment) -> Finding:
    """No client has a key that is too weak, or that no allowed algorithm can use."""
    problems = [problem for client in _clients(deployment) for problem in _find_weak(deployment, client)]
    return judge(
        not problems,
        "Every registered key is strong enough for an algorithm that is accepted.",
        otherwise=f"Keys that are of no use: {list_some(problems)}.",
        change="Register other keys for these clients (flask oauth2 client add-key), and retire the weak ones.",
    )


def _find_weak(deployment: Deployment, client: RegisteredClient) -> Iterator[str]:
    if client.jwks is None:
        return
    accepted = set(deployment.settings.ASSERTION_SIGNING_ALGS)
    name = shorten(client.client_id)
    try:
        keys, passed_over = read_jwks(client.jwks)
    except jose.JoseProblem as problem:
        yield f"{name} ({problem})"
        return
    yield from (f"{name} ({problem})" for problem in passed_over)
    for key in keys:
        if not key.public.algs & accepted:
            yield f"{name} (a key for {', '.join(sorted(key.public.algs))} only)"


def check_key_end(deployment: Deployment) -> Finding:
    """No client loses its last key or secret within a month."""
    now = clock.now()
    ending = [
        f"{shorten(found.client.client_id)} (in {days(found.keys_expire_at - now)})"
        if found.keys_expire_at > now
        else f"{shorten(found.client.client_id)} (ended)"
        for found in deployment.clients.overviews
        if found.keys_expire_at is not None and found.keys_expire_at <= now + EXPIRY_NOTICE_SECONDS
    ]
    return judge(
        not ending,
        f"No client loses its last key or secret within {days(EXPIRY_NOTICE_SECONDS)}.",
        otherwise=f"Clients whose last key or secret ends soon: {list_some(ending)}.",
        change="Ask their owners for new keys: flask oauth2 client list --keys-end-within 30d.",
    )


def check_key_age(deployment: Deployment) -> Finding:
    """No key of a client is older than three years."""
    counted = deployment.state.count_client_keys([YEAR_DAYS, OLD_KEY_DAYS])
    return judge(
        counted[OLD_KEY_DAYS] == 0,
        f"No client has had a key for three years; {counted[YEAR_DAYS]} for more than one.",
        otherwise=f"{counted[OLD_KEY_DAYS]} of the clients' keys are older than three years.",
        change="Ask their owners for new keys. flask oauth2 client keys CLIENT tells the age of each.",
    )


def check_use(deployment: Deployment) -> Finding:
    """Every client has been used, unless it is new: what nobody uses should not be able to get tokens."""
    used = {found.client.client_id: found.last_used_at for found in deployment.clients.overviews}
    old = [
        found.client.client_id
        for found in deployment.clients.registrations
        if found.created_at <= clock.now() - UNUSED_SECONDS
    ]
    never = [client_id for client_id in old if used.get(client_id) is None]
    return judge(
        not never,
        f"Every client that is older than {days(UNUSED_SECONDS)} has been used.",
        otherwise=f"Clients that never signed, and are older than {days(UNUSED_SECONDS)}: {name_some(never)}.",
        change="Disable or remove what nobody needs: flask oauth2 client list --unused-for 30d.",
    )


def check_usable(deployment: Deployment) -> Finding:
    """Every enabled client can do something."""
    problems = [
        f"{shorten(found.client.client_id)} ({shortcoming})"
        for found in deployment.clients.overviews
        for shortcoming in found.shortcomings
    ]
    return judge(
        not problems,
        "Every client can do what it is registered for.",
        otherwise=f"Clients that can do nothing, or have something for nothing: {list_some(problems)}.",
        change="Change or disable them: flask oauth2 client list says more.",
    )


def check_secrets(deployment: Deployment) -> Finding:
    """No client authenticates with a shared secret (RFC 9700 §2.5)."""
    holders = sorted({secret.client_id for secret in deployment.state.clients.secrets.all() if secret.counts})
    if deployment.settings.client_secrets_until is None or not holders:
        return met("No client authenticates with a shared secret.")
    return judge(
        False,
        "",
        otherwise=f"Clients that may authenticate with a shared secret: {name_some(holders)}.",
        change="Move them to keys: flask oauth2 client secrets says who still uses one.",
    )


def _clients(deployment: Deployment) -> list[RegisteredClient]:
    return [found.client for found in deployment.clients.registrations]


REQUIREMENTS = (
    DeploymentRequirement("client-registrations", check_registrations, needs=("migration",)),
    DeploymentRequirement("client-keys-strong", check_key_strength, needs=("migration",)),
    DeploymentRequirement("client-keys-end", check_key_end, needs=("migration",)),
    DeploymentRequirement("client-keys-age", check_key_age, needs=("migration",)),
    DeploymentRequirement("client-secrets", check_secrets, needs=("migration",)),
    DeploymentRequirement("clients-signed", check_use, needs=("migration",)),
    DeploymentRequirement("clients-usable", check_usable, needs=("migration",)),
)
