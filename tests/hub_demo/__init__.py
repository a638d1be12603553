"""The system once round: clips come in, are labelled, a better model goes out, and a bad one comes back by itself.

`make hub-demo` (`python -m tests.hub_demo`) runs it with a line for each step and pictures of pages; CI runs it too.
"""
