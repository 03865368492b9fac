"""The settings: which there are, what they may be, and how they are read."""
