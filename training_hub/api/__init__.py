"""The hub's HTTP API, `/api/v1`, and the app that carries it and the pages."""
