"""How far the client itself can be trusted: a server that stamps what it sends, and what the client made of it."""
