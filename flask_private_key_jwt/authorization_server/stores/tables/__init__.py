"""The tables, as part of the application's own metadata."""
