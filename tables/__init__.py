"""State as typed accessors over the rows of one partition: masters, settlements, exceptions, windows."""
