"""``python -m demo.console_client``: the exit code is 0 only if everything went as it must."""

import argparse
import sys
from collections.abc import Sequence

from flask_private_key_jwt.discovery import DiscoveryError, NoAnswer
from flask_private_key_jwt.errors import ConfigurationError

from ..clients import CLIENTS, MOBILE, MOBILE_DPOP, DemoClient
from .attacks import ATTACKS, run_attacks
from .caller import Caller
from .show import Show
from .walk import WentWrong, walk
from .watch import watch


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the console client; the exit code."""
    options = read_options(arguments)
    show = Show(full=options.full)
    client: DemoClient = CLIENTS[options.client]
    try:
        run(client, options, show)
    except ConfigurationError as error:
        show.bad(f"{error} The demo's keys are made by: python -m demo.prepare")
        return 2
    except (WentWrong, DiscoveryError, NoAnswer) as error:
        show.bad(str(error))
        return 1
    return 0


def run(client: DemoClient, options: argparse.Namespace, show: Show) -> None:
    """Do what the options ask for.

    :raises WentWrong: Something did not go as it must.
    :raises DiscoveryError, NoAnswer: A server is away.
    """
    where = {"issuer": options.issuer, "api": options.api}
    if options.attack:
        names = list(ATTACKS) if options.attack == "all" else [options.attack]
        run_attacks(names, Caller(client, **where), show)
    elif options.watch:
        watch(client, show, **where, every=options.every, times=options.times)
    else:
        walk(Caller(client, **where), show)


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; attacks need a client whose tokens are bound, so that one is their default."""
    parser = argparse.ArgumentParser(prog="python -m demo.console_client", description=__doc__)
    parser.add_argument(
        "--client", choices=CLIENTS, help=f"default: {MOBILE.client_id}; for --attack {MOBILE_DPOP.client_id}"
    )
    parser.add_argument("--issuer", default="http://127.0.0.1:5001", help="the token server (%(default)s)")
    parser.add_argument("--api", default="http://127.0.0.1:5005", help="the resource server (%(default)s)")
    parser.add_argument("--full", action="store_true", help="print tokens whole")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--watch", action="store_true", help="call the API again and again through one session")
    what.add_argument("--attack", choices=[*ATTACKS, "all"], help="try to break in")
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS", help="pause of --watch (%(default)s)")
    parser.add_argument("--times", type=int, metavar="N", help="calls of --watch; default: until Ctrl-C")
    options = parser.parse_args(arguments)
    options.client = options.client or (MOBILE_DPOP if options.attack else MOBILE).client_id
    if options.attack and not CLIENTS[options.client].dpop:
        parser.error(f"the attacks are on DPoP tokens: use {MOBILE_DPOP.client_id}")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print()
        sys.exit(130)
