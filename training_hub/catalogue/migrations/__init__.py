"""Alembic's migrations: how each version of the tables came of the one before."""
