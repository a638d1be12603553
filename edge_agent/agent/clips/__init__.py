"""Sound that is kept, and what people do with it."""
