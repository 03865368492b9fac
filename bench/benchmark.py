"""Runs the servers one after the other and measures them in rounds."""

import itertools
import json
import os
import secrets
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from . import seed
from .load import Answer, send_all
from .machine import Calibration, choose_cores, cpu_seconds, worker_megabytes
from .messages import (
    API_CALLS,
    FIRST_REQUEST,
    SCOPE,
    TOKEN_REQUESTS,
    Client,
    Messages,
    Token,
    Variant,
    make_clients,
)
from .report import Figure, Memory, Report, bare_cost
from .rounds import PATIENCE, Round, choose, count_quiet, find_undisturbed
from .servers import HOST, free_port, running

RSA_CLIENTS = 10
TOKENS = 100

Build = Callable[[int], list[bytes]]
"""Makes that many requests, no two alike."""


class Void(Exception):
    """The server did not do its work, so the figures would be meaningless."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured, and on how full a server."""

    clients: int
    """Registered ES256 clients; each sends in its turn."""
    remembered: int
    """``jti`` values that each replay database holds beforehand."""
    connections: int
    rounds: int = 15
    """Rounds of each variant that count: see :mod:`.rounds`."""
    most_rounds: int = 15 * PATIENCE
    """How many are measured at most."""
    requests: int = 100
    """Requests in one round of one variant: few, because the machine may be undisturbed for a moment only."""
    warm_up: int = 400
    first: int = 30
    """Requests in one round of the row ``first``, each from a client that the process has not seen before."""
    weighed: int = 10_000
    """How many token requests the worker answers before its memory is read."""

    def smallest(self) -> "Size":
        """Enough to see that everything works."""
        return replace(self, rounds=1, most_rounds=1, requests=20, warm_up=5, first=5, weighed=50)


@dataclass(frozen=True, slots=True)
class Target:
    """A server that is being measured."""

    name: str
    pid: int
    port: int


class Benchmark:
    """One run.

    :param folder: Where the databases and logs go.
    :param servers: Keys of :data:`.servers.COMMANDS`.
    :param size: How much to measure.
    """

    def __init__(self, folder: Path, servers: Sequence[str], size: Size) -> None:
        self._folder = folder
        self._servers = servers
        self._size = size
        self._cores = choose_cores()
        self._calibration = Calibration(self._cores.server)
        self._token_port, self._api_port = free_port(), free_port()
        self._issuer = f"http://{HOST}:{self._token_port}"
        self._resource = f"http://{HOST}:{self._api_port}"
        self._figures: list[Figure] = []
        self._cals: list[float] = []
        self._memory: list[Memory] = []

    def run(self) -> Report:
        """Measure everything.

        :raises Void: A request was not answered with 200, or a replay was.
        """
        os.sched_setaffinity(0, {self._cores.load})
        self._set_environment()
        clients = {"ES256": make_clients("ES256", self._size.clients), "RS256": make_clients("RS256", RSA_CLIENTS)}
        unseen = {
            server: make_clients("ES256", self._size.most_rounds * self._size.first, name=f"-{server}")
            for server in self._servers
        }
        print(f"registering {self._size.clients} clients, remembering {self._size.remembered} jti", flush=True)
        seed.register([*clients["ES256"], *clients["RS256"], *itertools.chain.from_iterable(unseen.values())])
        seed.make_replay_database(self._replay_url)
        for file in self._databases:
            seed.remember(file, self._size.remembered)
        messages = Messages(self._issuer, f"{self._resource}/values", clients)
        for server in self._servers:
            self._measure_server(server, messages, unseen[server])
        signatures = self._calibration.bare_signatures()
        return Report(
            cal=find_undisturbed(self._cals),
            bare={variant: bare_cost(variant, signatures) for variant in (*TOKEN_REQUESTS, FIRST_REQUEST, *API_CALLS)},
            figures=self._figures,
            memory=self._memory,
            clients=self._size.clients,
            remembered=self._size.remembered,
            connections=self._size.connections,
        )

    # --- the stage ------------------------------------------------------------------------------------------
    @property
    def _databases(self) -> tuple[Path, Path]:
        return self._folder / "token_server.sqlite", self._folder / "api.sqlite"

    @property
    def _replay_url(self) -> str:
        return f"sqlite:///{self._databases[1]}"

    def _set_environment(self) -> None:
        """The servers' settings, for them and for this process; nothing of the caller's own counts."""
        for name in [name for name in os.environ if name.startswith("FLASK_")]:
            del os.environ[name]
        os.environ |= {
            "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{self._databases[0]}",
            "FLASK_OAUTH2_SECRETS": json.dumps([secrets.token_urlsafe(48)]),
            "FLASK_OAUTH2_ISSUER": self._issuer,
            "FLASK_OAUTH2_RESOURCES": json.dumps([self._resource]),
            "FLASK_OAUTH2_RESOURCE": self._resource,
            "FLASK_OAUTH2_SCOPES": json.dumps([SCOPE]),
        }

    def _measure_server(self, server: str, messages: Messages, unseen: Sequence[Client]) -> None:
        start = partial(running, server, core=self._cores.server, folder=self._folder)
        secret = {"FLASK_SECRET_KEY": secrets.token_urlsafe(48)}
        with start("bench.token_server", self._token_port, secret) as pid:  # within the hour, another process saw them
            self._send(Target(server, pid, self._token_port), messages.first_requests(iter(unseen), len(unseen)))
        with start("bench.token_server", self._token_port, secret) as pid:
            self._weigh(Target(server, pid, self._token_port), messages)
        with start("bench.token_server", self._token_port, secret) as pid:
            target = Target(server, pid, self._token_port)
            requests: dict[Variant, Build] = {
                variant: partial(messages.token_requests, variant) for variant in TOKEN_REQUESTS
            }
            self._send(target, messages.token_requests(TOKEN_REQUESTS[0], self._size.clients))  # each client was seen
            self._warm_up(target, requests)
            requests[FIRST_REQUEST] = partial(messages.first_requests, iter(unseen))
            self._measure(target, requests)
            tokens = {call: self._fetch_tokens(target, messages, dpop=call.dpop) for call in API_CALLS}
            # The API fetches the issuer's keys, so the token server stays; it has nothing else to do now.
            with start("bench.api", self._api_port, {"FLASK_OAUTH2_REPLAY_STORE": self._replay_url}) as api_pid:
                calls = {call: partial(messages.api_calls, tokens[call]) for call in API_CALLS}
                api = Target(server, api_pid, self._api_port)
                self._warm_up(api, calls)
                self._measure(api, calls)

    def _fetch_tokens(self, target: Target, messages: Messages, *, dpop: bool) -> list[Token]:
        answers = self._send(target, messages.token_requests(Variant("ES256", dpop), TOKENS))
        keys = messages.proof_keys if dpop else [None]
        return [
            Token(json.loads(answer.body)["access_token"], keys[number % len(keys)])
            for number, answer in enumerate(answers)
        ]

    # --- the rounds -----------------------------------------------------------------------------------------
    def _warm_up(self, target: Target, variants: Mapping[Variant, Build]) -> None:
        for build in variants.values():
            self._send(target, build(self._size.warm_up))

    def _weigh(self, target: Target, messages: Messages) -> None:
        """Read the memory of a worker that has answered many requests of the usual clients."""
        sent = 0
        while sent < self._size.weighed:
            for variant in TOKEN_REQUESTS:
                sent += len(self._send(target, messages.token_requests(variant, min(500, self._size.weighed))))
            print(f"{target.name}: {sent} requests", flush=True)
        share, resident = worker_megabytes(target.pid)
        self._memory.append(Memory(target.name, share, resident, sent))

    def _measure(self, target: Target, variants: Mapping[Variant, Build]) -> None:
        rounds: dict[Variant, list[Round]] = {variant: [] for variant in variants}
        for number in range(self._size.most_rounds):
            missing = [variant for variant, found in rounds.items() if self._count(found) < self._size.rounds]
            if not missing:
                break
            print(f"{target.name}: round {number + 1}", end="", flush=True)
            for variant in missing:
                count = self._size.first if variant.first else self._size.requests
                rounds[variant].append(found := self._measure_round(target, variant, variants[variant](count)))
                print(f", {variant.name} {found.cost:.1f}", end="", flush=True)
            print(flush=True)
        undisturbed, wanted = find_undisturbed(self._cals), self._size.rounds
        for variant, found in rounds.items():
            chosen = choose(found, undisturbed, wanted=wanted)
            self._figures.append(_sum_up(target.name, variant, chosen, disturbed=len(found) - self._count(found)))

    def _count(self, rounds: Sequence[Round]) -> int:
        """How many of *rounds* count, as far as we know by now."""
        return count_quiet(rounds, find_undisturbed(self._cals)) if rounds else 0

    def _measure_round(self, target: Target, variant: Variant, requests: Sequence[bytes]) -> Round:
        cal_before = self._calibration.measure()
        cpu_before, start = cpu_seconds(target.pid), time.monotonic()
        self._send(target, requests)
        seconds, cpu = time.monotonic() - start, cpu_seconds(target.pid) - cpu_before
        cal_after = self._calibration.measure()
        self._cals += [cal_before, cal_after]
        if (variant.alg or variant.dpop) and _ask(target, requests[-1]).status == 200:
            raise Void(f"{target.name} accepts a replayed request ({variant.name})")
        return Round(cal_before, cal_after, cpu / len(requests) * 1e6, len(requests) / seconds)

    def _send(self, target: Target, requests: Sequence[bytes]) -> list[Answer]:
        answers = send_all((HOST, target.port), requests, connections=self._size.connections)
        for answer in answers:
            if answer.status != 200:
                raise Void(f"{target.name} answers {answer.status}: {answer.body.decode(errors='replace')[:300]}")
        return answers


def _ask(target: Target, request: bytes) -> Answer:
    return send_all((HOST, target.port), [request], connections=1)[0]


def _sum_up(server: str, variant: Variant, rounds: Sequence[Round], *, disturbed: int) -> Figure:
    return Figure(
        server=server,
        variant=variant,
        cost=tuple(found.cost for found in rounds),
        microseconds=statistics.median(found.microseconds for found in rounds),
        per_second=statistics.median(found.per_second for found in rounds),
        disturbed=disturbed,
    )
