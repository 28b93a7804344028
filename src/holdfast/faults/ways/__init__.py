"""What several faults share: ways to reach the world, and to see that it is well again. No fault lies here."""
