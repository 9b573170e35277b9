"""The sentences: from the text of a circuit to a checked Circuit and a lowered Program."""
