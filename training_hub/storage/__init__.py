"""Where the hub's files lie: a directory or S3, by content."""
