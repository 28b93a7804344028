"""From measured cells of an engine to the numbers of its simulator, and how far these are off: pure."""
