"""The torch engine: a Program as calls on static tensors."""
