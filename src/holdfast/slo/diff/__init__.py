"""What changed between two sets of SLOs, and whether it asks less."""
