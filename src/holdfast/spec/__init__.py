"""Text in, values or problems out: every file a person writes is read here first."""
