"""The words that people read: in which language, from which catalogue, and what a scope means. No HTTP."""
