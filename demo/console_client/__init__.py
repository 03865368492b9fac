"""The console client: ``python -m demo.console_client``.

walk.py     one client's way from discovery to the API's answer, step by step
attacks.py  four attacks, each of which must be refused
watch.py    the everyday way: one session, tokens renewed when due
caller.py   the requests that the first two are made of
show.py     what a person sees
"""
