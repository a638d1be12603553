"""What grows by itself is removed when it is old: in small batches, never what something else refers to."""
