"""One module per migration. A new one: `python -m training_hub.catalogue.revise "what changes"`."""
