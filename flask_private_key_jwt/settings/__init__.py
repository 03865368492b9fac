"""The settings: their names, their values, and how they are read."""
