"""The stores of the authorization server in the application's own SQL database, one file for each.

They work on SQLite, PostgreSQL, MariaDB and MySQL. Every step is one short transaction on a connection of its own,
never ``db.session``: a rollback in the application cannot undo it.
"""
