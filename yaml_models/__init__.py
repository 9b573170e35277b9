"""The texts: circuit files that ship with the package."""
