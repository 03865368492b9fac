"""The demo: one of everything, each short enough to learn from.

token_server/     an authorization server
resource_server/  an API that takes its tokens
one_app/          both in one Flask app
console_client/   a client that shows every step, and four attacks
clients.py        the three clients, and Alice
prepare.py        keys, database, registrations
servers.py        starting and stopping both servers
run.py            all of it in one go: ``make demo``
folder.py         where all that is made lies
"""
