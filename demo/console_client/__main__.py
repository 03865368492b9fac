"""``python -m demo.console_client``: the exit code is 0 only if everything went as expected."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from flask_private_key_jwt.client import DiscoveryError
from flask_private_key_jwt.errors import ConfigurationError

from ..clients import ALICE, CLIENTS, MOBILE, MOBILE_CODE, MOBILE_DPOP, WEB, DemoClient
from .attacks import ATTACKS, run_attacks
from .browser import LostItsWay, ScriptedBrowser
from .caller import Caller, NoAnswer
from .code_flow import OpenBrowser, open_real_browser, walk_code_flow
from .loopback import NobodyCame
from .outcomes import Note, ignore
from .show import Show
from .walk import WentWrong, walk
from .watch import watch


def main(arguments: Sequence[str] | None = None, note: Note = ignore) -> int:
    """Run the console client; the exit code.

    :param note: Takes what became of each request.
    """
    options = read_options(arguments)
    show = Show(full=options.full)
    client: DemoClient = CLIENTS[options.client]
    try:
        run(client, options, show, note)
    except ConfigurationError as error:
        show.bad(f"{error} The demo's keys are made by: python -m demo.prepare")
        return 2
    except (WentWrong, NobodyCame, LostItsWay, DiscoveryError, NoAnswer) as error:
        show.bad(str(error))
        return 1
    return 0


def run(client: DemoClient, options: argparse.Namespace, show: Show, note: Note) -> None:
    """Do what the options ask for.

    :raises WentWrong, NobodyCame, LostItsWay: Something did not go as it must.
    :raises DiscoveryError, NoAnswer: A server does not answer.
    """
    where = {"issuer": options.issuer, "api": options.api}
    if options.attack:
        names = list(ATTACKS) if options.attack == "all" else [options.attack]
        run_attacks(names, Caller(client, **where), show, note)
    elif options.watch:
        watch(client, show, **where, every=options.every, times=options.times)
    elif options.flow == "code":
        walk_code_flow(Caller(client, **where), show, choose_browser(options, show), note)
    else:
        walk(Caller(client, **where), show, note)


def choose_browser(options: argparse.Namespace, show: Show) -> OpenBrowser:
    """How the person gets to the token server: in their browser, or by a script that plays them."""
    if not options.scripted:
        return partial(open_real_browser, show=show, start=not options.no_browser)

    def play(url: str) -> None:
        browser = ScriptedBrowser(ALICE)
        show.request_url(url)
        browser.visit(url)
        show.note(f"A script plays the person: {', '.join(browser.seen)}.")

    return play


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m demo.console_client", description=__doc__)
    parser.add_argument(
        "--client",
        choices=[name for name in CLIENTS if name != WEB.client_id],
        help=f"default: {MOBILE.client_id}; for --attack {MOBILE_DPOP.client_id}; for --flow code "
        f"{MOBILE_CODE.client_id}",
    )
    parser.add_argument("--issuer", default="http://127.0.0.1:5001", help="the token server (%(default)s)")
    parser.add_argument("--api", default="http://127.0.0.1:5005", help="the resource server (%(default)s)")
    parser.add_argument("--full", action="store_true", help="print tokens whole")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--flow", choices=["client_credentials", "code"], help="act for itself (the default), or for a person"
    )
    what.add_argument("--watch", action="store_true", help="call the API again and again through one session")
    what.add_argument("--attack", choices=[*ATTACKS, "all"], help="try to break in")
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS", help="pause of --watch (%(default)s)")
    parser.add_argument("--times", type=int, metavar="N", help="calls of --watch; default: until Ctrl-C")
    person = parser.add_mutually_exclusive_group()
    person.add_argument("--no-browser", action="store_true", help="with --flow code: only print the address to open")
    person.add_argument("--scripted", action="store_true", help="with --flow code: a script plays alice and a browser")
    options = parser.parse_args(arguments)
    options.client = options.client or default_client(options).client_id
    if problem := find_contradiction(options):
        parser.error(problem)
    return options


def default_client(options: argparse.Namespace) -> DemoClient:
    """The client for what the options ask for: attacks need one whose tokens are bound."""
    if options.attack:
        return MOBILE_DPOP
    return MOBILE_CODE if options.flow == "code" else MOBILE


def find_contradiction(options: argparse.Namespace) -> str | None:
    """Why the options do not go together, if they do not."""
    client = CLIENTS[options.client]
    if options.attack and client != MOBILE_DPOP:
        return f"the attacks are on DPoP tokens: use {MOBILE_DPOP.client_id}"
    if (client == MOBILE_CODE) != (options.flow == "code"):
        return f"--flow code and {MOBILE_CODE.client_id} go together: it acts for people, and only for them"
    if (options.no_browser or options.scripted) and options.flow != "code":
        return "--no-browser and --scripted go with --flow code"
    return None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print()
        sys.exit(130)
