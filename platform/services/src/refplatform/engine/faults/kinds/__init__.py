"""One fault a file: the file's name is the fault's, with hyphens, and its one class says all there is about it."""
