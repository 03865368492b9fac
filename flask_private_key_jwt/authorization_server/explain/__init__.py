"""Why a request was refused, for the operator: what was checked, what failed, and who has to change what."""
