"""What the authorization endpoint and PAR share: the request, and what a person says to it. No HTTP in here."""
