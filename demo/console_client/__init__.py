"""The console client: ``python -m demo.console_client``.

walk.py       one client's way from discovery to the API's answer, step by step
code_flow.py  the same for a client that acts for a person, who signs in and allows it
openid.py     who that person is: the ID token, checked, and UserInfo
revoking.py   how such a client gives its tokens back
loopback.py   where such a client hears what the person decided
browser.py    a script in the place of that person and their browser
attacks.py    four attacks, each of which must be refused
watch.py      the everyday way: one session, tokens renewed when due
caller.py     the requests that all but the last are made of
jwt.py        what stands in a JWT, for showing it
outcomes.py   what the table at the end tells of
show.py       what a person sees
"""
