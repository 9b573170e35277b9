"""Reports: what people read of a circuit or a Program."""
