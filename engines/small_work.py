"""Small work: what a user is warned of whose engine is made for larger work."""


class SmallWorkWarning(UserWarning):
    """Most of a long run will be the calls themselves, not what they compute."""
