"""Work that takes longer than a request: rows of `jobs`, done by workers."""
