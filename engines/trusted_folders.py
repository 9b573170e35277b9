"""Trust: whether others could put something into a folder whose files are run.

Machine code is kept as pickles, and a pickle can do anything. As ssh does with its keys, a folder
is trusted where neither it nor one that it lies in can be changed by others than its user and root.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


def open_to_others(folder: Path) -> str | None:
    """Why a folder is not to be trusted, None if it is; one that is not there yet by its parents.

    On systems that know no owners every folder is trusted.
    """
    if not hasattr(os, "geteuid"):
        return None
    whole = Path(os.path.realpath(folder))
    for place in (whole, *whole.parents):
        try:
            found = os.stat(place)
        except FileNotFoundError:
            continue
        except OSError as error:
            return f"{place} cannot be looked at ({error.strerror})"
        if found.st_uid not in (os.geteuid(), 0):
            return f"{place} belongs to another user"
        sticky = place != whole and found.st_mode & stat.S_ISVTX  # /tmp: only owners move things
        if found.st_mode & stat.S_IWOTH and not sticky:
            return f"all users can write to {place}"
        if found.st_mode & stat.S_IWGRP and not sticky and not _alone(found.st_gid):
            return f"its group can write to {place}"
    return None


def _alone(group: int) -> bool:
    """Whether nobody else is in a group: that of one user, as many systems make one for each."""
    if group == 0:
        return True
    try:
        import grp
        import pwd

        name = pwd.getpwuid(os.geteuid()).pw_name
        others = {n for n in grp.getgrgid(group).gr_mem if n != name}
        return group == os.getegid() and not others
    except (ImportError, KeyError):
        return False
