"""What an access token says and how it is verified, for both servers."""
