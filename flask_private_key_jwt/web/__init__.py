"""What the rules of the web say, without a framework: what a URL is, and whose pages may read an answer."""
