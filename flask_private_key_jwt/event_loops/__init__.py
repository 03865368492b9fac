"""What lets the same code serve threads and event loops."""
