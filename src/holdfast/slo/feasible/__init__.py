"""What an SLO's alerts can do, before any of them fires."""
