"""The commands of `edge-agent`, one module each.

A module has `configure(parser)`, which adds its arguments, and `run(arguments) -> int`, which returns the exit status.
Modules are imported only when their command is called, so that none pays for the libraries of another.
"""
