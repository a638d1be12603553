"""One module per machine type: its fault kinds, and how an individual is drawn."""
