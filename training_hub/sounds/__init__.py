"""Sounds that people bring: decoded as hostile input, tested against a bundle, catalogued, shown and heard."""
