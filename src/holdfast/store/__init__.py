"""The run folder: written line by line as things happen, sealed with digests, read back as a Timeline."""
