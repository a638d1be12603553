"""What the pages read from the catalogue."""
