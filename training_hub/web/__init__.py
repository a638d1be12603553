"""The hub's pages: rendered on the server, quickened by htmx, with nothing asked of any other host."""
