"""The demo: one of everything, each short enough to learn from.

token_server/       an authorization server
resource_server/    an API that accepts its tokens
one_app/            both in one Flask app
console_client/     a client that shows every step, and four attacks
web_client/         a web application that people sign in to
clients.py          the four clients, and Alice
prepare.py          keys, database, registrations
private_reasons.py  why a server refused, from its log
summary.py          the table at the end
servers.py          starting and stopping servers
run.py              everything in one run: ``make demo``, ``make demo-web``
folder.py           where all that is made lies
"""
