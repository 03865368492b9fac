"""The stores of the authorization server in the application's own SQL database, one file for each."""
