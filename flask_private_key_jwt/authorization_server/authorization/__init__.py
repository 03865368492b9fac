"""What the authorization endpoint and PAR share: the request, and the person's decision about it. No HTTP here."""
