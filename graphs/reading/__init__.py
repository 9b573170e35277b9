"""Reading: a file with places, its keys, what is laid over what, and what is wrong with it."""
