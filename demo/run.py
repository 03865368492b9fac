"""``make demo``: prepare, start both servers, run the console client against them, stop the servers.

    python -m demo.run [--as-port 5001] [--api-port 5005]

The exit code is 0 only if every call was answered and every attack refused.

``make demo-web``: prepare, start both servers and the web application, and leave them running for a person.

    python -m demo.run --web [--web-port 5010] …

It ends on Ctrl-C, or when it is asked to; the exit code is then 0.
"""

import argparse
import os
import signal
import subprocess
import sys
from contextlib import suppress
from types import FrameType

from .clients import ALICE, MOBILE, MOBILE_DPOP
from .console_client.__main__ import main as console_client
from .console_client.outcomes import Note, Outcome
from .private_reasons import read_reasons
from .servers import DemoFailed, Running, Server
from .summary import print_summary

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run the whole demo; the exit code."""
    options = read_options(arguments)
    target = "demo-web" if options.web else "demo"
    servers = [
        Server("token server", "demo.token_server", options.as_port, "AS_PORT", target=target),
        Server("resource server", "demo.resource_server", options.api_port, "API_PORT", target=target),
    ]
    if options.web:
        # One process: who is signed in is in its memory.
        servers.append(Server("web client", "demo.web_client", options.web_port, "WEB_PORT", 1, target))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        return run(*servers)
    except DemoFailed as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nInterrupted; {'all' if options.web else 'both'} servers are stopped.", file=sys.stderr)
        return INTERRUPTED


def run(token_server: Server, api: Server, web: Server | None = None) -> int:
    """The demo itself.

    :param web: The web application; without it, the console client shows everything.
    :raises DemoFailed: A port is taken, the preparation failed, or a server did not start.
    """
    servers = [token_server, api, *([web] if web else [])]
    for server in servers:
        server.check_port()
    environment = {
        "FLASK_OAUTH2_ISSUER": token_server.url,
        "FLASK_OAUTH2_RESOURCES": api.url,
        "FLASK_OAUTH2_RESOURCE": api.url,
        "NO_PROXY": "127.0.0.1",  # they talk to each other, on this machine
        "no_proxy": "127.0.0.1",
    }
    prepare(environment)
    with Running(servers, environment) as running:
        for server in servers:
            print(f"The {server.name} answers on {server.url}", flush=True)
        code = wait_for_person(running, web) if web else show(token_server, api)
    if web:
        print("\nAll servers are stopped.")
    elif code == 0:
        print("\nAll clients were served, all attacks refused, both servers are stopped.")
    else:
        print(*(f"\n{server.end_of_log()}" for server in servers), sep="\n", file=sys.stderr)
    return code


def prepare(environment: dict[str, str]) -> None:
    """Make what is missing, in a process of its own: it needs the server's settings, this one does not."""
    command = [sys.executable, "-m", "demo.prepare"]
    if subprocess.run(command, env={**os.environ, **environment}, check=False).returncode:
        raise DemoFailed("The demo could not be prepared; see above.")


def wait_for_person(running: Running, web: Server) -> int:
    """Say what a person can do, and let them, until Ctrl-C.

    :raises DemoFailed: A server ended by itself.
    """
    with suppress(KeyboardInterrupt):
        print(f"\nOpen {web.url} and sign in as {ALICE.name} with the password {ALICE.password}.", flush=True)
        print(f"What is sent, attacked and refused, and why: {web.url}/requests", flush=True)
        print("Ctrl-C ends all of it.", flush=True)
        running.wait(until=lambda: bool(_interrupts))
    return 0


def show(token_server: Server, api: Server) -> int:
    """All clients, then the attacks, then what became of them; the first exit code that is not 0."""
    outcomes: list[Outcome] = []
    try:
        return show_all(token_server, api, outcomes.append)
    finally:
        print_summary(outcomes, read_reasons([token_server.log, api.log]))


def show_all(token_server: Server, api: Server, note: Note) -> int:
    """All clients, then the attacks; the first exit code that is not 0.

    :param note: Takes what became of each request.
    """
    where = ["--issuer", token_server.url, "--api", api.url]
    for words in (
        ["--client", MOBILE.client_id],
        ["--client", MOBILE_DPOP.client_id],
        ["--flow", "code", "--scripted"],  # nobody sits at this keyboard
        ["--attack", "all"],
    ):
        if code := console_client([*words, *where], note):
            return code
    return 0


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    """What to run, and on which ports."""
    parser = argparse.ArgumentParser(prog="demo", description="The whole demo in one go.")
    parser.add_argument("--web", action="store_true", help="the web application, until Ctrl-C")
    parser.add_argument("--as-port", type=port, default=5001, metavar="AS_PORT", help="port of the token server")
    parser.add_argument("--api-port", type=port, default=5005, metavar="API_PORT", help="port of the resource server")
    parser.add_argument("--web-port", type=port, default=5010, metavar="WEB_PORT", help="port of the web application")
    options = parser.parse_args(arguments)
    ports = {"AS_PORT": options.as_port, "API_PORT": options.api_port}
    if options.web:
        ports["WEB_PORT"] = options.web_port
    if len(set(ports.values())) < len(ports):
        parser.error(f"{' and '.join(ports)} must differ")
    return options


def port(text: str) -> int:
    """A TCP port.

    :raises argparse.ArgumentTypeError: It is none.
    """
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


_interrupts: list[int] = []
"""The numbers of the signals that asked the demo to end."""


def interrupt(number: int, frame: FrameType | None) -> None:
    """End the demo, on Ctrl-C or another request to end.

    An exception that is raised while Python finalizes an object is lost. So the request is noted too.
    """
    _interrupts.append(number)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
