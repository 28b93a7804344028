"""Faults inside the engine: each has a lease that ends it, and only an admin door on loopback begins one."""
