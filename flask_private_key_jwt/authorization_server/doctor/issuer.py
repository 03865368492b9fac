"""The issuer: reachable as it is written, by https, through every proxy, and the same outside as inside."""

import json
from collections.abc import Iterator, Sequence

from ...fetching.discovery import metadata_locations
from ...fetching.exchange import FetchedAnswer, NoAnswer
from ...web.url import DEFAULT_PORTS, read_url
from .deployment import Deployment, describe_answer, find_object
from .finding import DeploymentRequirement, Finding, judge, list_some, met, moot, name_some, shorten, unmet

_PROXY = (
    "Let the proxy pass paths on as they are, and mount the app at the issuer's path. OAUTH2_ISSUER must be the URL "
    "that clients use."
)


def check_https(deployment: Deployment) -> Finding:
    """The issuer is an https URL (RFC 8414 §2)."""
    issuer = deployment.settings.ISSUER
    return judge(
        read_url(issuer).scheme == "https",
        f"{issuer} is https.",
        otherwise=f"{issuer} is http: for development on one machine only.",
        change="Put a proxy with a certificate in front of the server, and set OAUTH2_ISSUER to its https URL.",
    )


def check_reachable(deployment: Deployment) -> Finding:
    """The metadata of the issuer is where RFC 8414 §3 says, and names it character by character."""
    issuer = deployment.settings.ISSUER
    url = metadata_locations(issuer)[0]
    try:
        answer = deployment.outside.get(url)
    except NoAnswer as problem:
        return unmet(str(problem), "Start the server, and see that this machine reaches it at the issuer's URL.")
    document = find_object(answer)
    if answer.status != 200 or document is None:
        return unmet(f"{url} answers {describe_answer(answer)}.", _PROXY)
    named = document.get("issuer")
    return judge(
        named == issuer,
        f"{url} has the metadata of this issuer.",
        otherwise=f"{url} speaks for the issuer {shorten(str(named))!r}, not for {issuer!r}.",
        change="Give the server and this command the same OAUTH2_ISSUER, or the proxy another upstream.",
    )


def check_metadata(deployment: Deployment) -> Finding:
    """Clients get the metadata that this app makes, at every place where they look."""
    inside = json.loads(json.dumps(dict(deployment.state.describe())))
    oauth, openid = metadata_locations(deployment.settings.ISSUER)
    places = [oauth, *([openid] if "openid" in deployment.state.offered() else [])]
    for url in places:
        answer = deployment.outside.get(url)
        outside = find_object(answer)
        if answer.status != 200 or outside is None:
            return unmet(f"{url} answers {describe_answer(answer)}.", _PROXY)
        different = sorted(name for name in inside.keys() | outside.keys() if inside.get(name) != outside.get(name))
        if different:
            return unmet(
                f"{url} differs from what this command would answer, in {name_some(different)}.",
                "Give the server the settings and the version that this command has, and restart all its workers.",
            )
    return met("The metadata is the same from outside as from inside.")


def check_keys(deployment: Deployment) -> Finding:
    """Clients get the signing keys that are in this database."""
    url = str(deployment.state.describe()["jwks_uri"])
    answer = deployment.outside.get(url)
    document = find_object(answer) or {}
    keys = document.get("keys")
    if answer.status != 200 or not isinstance(keys, list):
        return unmet(f"{url} answers {describe_answer(answer)}, and no JWK Set.", _PROXY)
    outside = {str(key.get("kid")) for key in keys if isinstance(key, dict)}
    inside = {str(key["kid"]) for key in deployment.state.server_keys.look().jwks["keys"]}
    return judge(
        outside == inside,
        f"{url} has the signing keys of the database.",
        otherwise=f"{url} has other keys than the database: {name_some(sorted(outside ^ inside))}.",
        change="Let the server use the database that this command uses, and no cache keep the keys for long.",
    )


def check_paths(deployment: Deployment) -> Finding:
    """Each endpoint of the metadata is reached at its URL: it says which methods it has."""
    problems = list(_find_unreached(deployment))
    return judge(
        not problems,
        "Every endpoint of the metadata answers at its URL.",
        otherwise=f"Not every endpoint answers at its URL: {list_some(problems)}.",
        change=_PROXY,
    )


def _find_unreached(deployment: Deployment) -> Iterator[str]:
    described = deployment.state.describe()
    methods = {
        endpoint.metadata_member: endpoint.methods
        for endpoint in deployment.state.endpoints.values()
        if endpoint.metadata_member in described
    }
    for member, expected in methods.items():
        url = str(described[str(member)])
        try:
            answer = deployment.outside.ask("OPTIONS", url)
            if not _is_ours(answer, expected):  # some proxies answer OPTIONS themselves
                answer = deployment.outside.ask("PUT", url)  # a method that none of these endpoints has
        except NoAnswer as problem:
            yield str(problem).rstrip(".")
            return  # the others are on the same server, and each would take as long
        if not _is_ours(answer, expected):
            yield f"{url} answers {describe_answer(answer)}"


def _is_ours(answer: FetchedAnswer, methods: Sequence[str]) -> bool:
    """Whether this is an answer of the endpoint with these *methods*: nobody else knows them, or has our references."""
    allowed = {method.strip() for method in answer.headers.get("Allow", "").split(",")}
    return answer.status < 500 and (set(methods) <= allowed or answer.reference is not None)


def check_cleartext(deployment: Deployment) -> Finding:
    """Nobody answers for the issuer without TLS (RFC 9700 §2.6)."""
    issuer = read_url(deployment.settings.ISSUER)
    if issuer.scheme != "https":
        return moot("The issuer itself is http.")
    if issuer.port not in (None, DEFAULT_PORTS["https"]):
        return moot(f"The issuer has the port {issuer.port}; which port would be without TLS is not known.")
    url = metadata_locations(deployment.settings.ISSUER)[0].replace("https:", "http:", 1).replace(":443/", "/", 1)
    try:
        answer = deployment.outside.get(url)
    except NoAnswer:
        return met("Nobody answers without TLS.")
    return judge(
        answer.status != 200 or find_object(answer) is None,
        f"Without TLS the answer is {answer.status}, and no metadata.",
        otherwise=f"{url} answers without TLS: what is sent there can be read on the way.",
        change="Let the proxy redirect http to https, or answer nothing there.",
    )


REQUIREMENTS = (
    DeploymentRequirement("issuer-https", check_https),
    DeploymentRequirement("issuer-reachable", check_reachable),
    DeploymentRequirement("issuer-cleartext", check_cleartext),
    DeploymentRequirement("metadata-equal", check_metadata, needs=("database", "issuer-reachable")),
    DeploymentRequirement("jwks-equal", check_keys, needs=("migration", "issuer-reachable")),
    DeploymentRequirement("endpoints-reachable", check_paths, needs=("database", "issuer-reachable")),
)
