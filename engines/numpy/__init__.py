"""The numpy engine, the referee: it walks the table."""
