"""Documents in, passages out: split, embedded through the gateway, kept in SQLite, searched exactly."""
