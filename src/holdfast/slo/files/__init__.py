"""SLO files of every format, read strictly into one model."""
