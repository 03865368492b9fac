"""A client that acts for a person: the authorization code flow, with everything that makes it safe.

Read in this order: ``client`` (what a program uses) · ``flow_steps`` (what is asked and checked, without I/O) ·
``pending`` · ``request`` · ``answer`` · ``id_token`` · ``tokens`` · ``userinfo`` · ``sign_out``. ``token_store`` keeps
tokens, ``token_source`` and ``renewals`` renew them, ``person_auth`` sends them. ``pending_sign_ins`` and
``finished_sign_ins`` let an answer count once. ``loopback`` and ``browser`` are for a person at this machine.
"""
