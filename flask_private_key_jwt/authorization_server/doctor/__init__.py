"""Is this deployment right? One file for each kind of check, in the order of the table in ``examination.py``."""
