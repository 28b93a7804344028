"""One load from several processes: a master that says when and writes the record, workers that offer their shares."""
