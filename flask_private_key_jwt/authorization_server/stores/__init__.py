"""What the authorization server remembers. ``contracts.py`` says what each store promises; ``sql`` implements it."""
