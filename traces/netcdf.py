"""Writing NetCDF files, also to a disk that becomes full."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .atomic import replacing

if TYPE_CHECKING:
    import xarray


SMALL = 4096  # numbers; fewer are not worth a compression


def write_netcdf(
    dataset: xarray.Dataset, path: str | os.PathLike[str], compression: int = 1
) -> None:
    """Writes a NetCDF 4 file, whole or not at all.

    compression: Of zlib, with shuffled bytes, from 1 to 9; 0: none, ten times as fast.

    Raises:
        OSError: The disk is full, a limit is met, or the folder does not exist.
    """
    import h5netcdf
    from xarray.backends import H5NetCDFStore

    dataset = dataset.copy()  # of the names; the numbers stay where they are
    for variable in dataset.data_vars.values():
        if compression and variable.size > SMALL:
            variable.encoding |= {"zlib": True, "complevel": compression, "shuffle": True}
    with replacing(path) as draft, UnfailingFile(draft) as file:
        try:
            with h5netcdf.File(file, "w") as netcdf:
                dataset.dump_to_store(H5NetCDFStore(netcdf))
        except Exception:
            if file.error is None:
                raise
        if file.error is not None:
            raise OSError(file.error.errno, f"{path} was not written: {file.error.strerror}")


class UnfailingFile(io.RawIOBase):
    """A file that takes everything, and remembers the first `error` of the disk.

    HDF5 writes again what could not be written whenever it closes a file, and ends the process if
    that fails once more; so it is not told.
    """

    def __init__(self, path: Path):
        self._file = open(path, "w+b", buffering=0)  # noqa: SIM115 - closed by `close`
        self.error: OSError | None = None

    def readable(self) -> bool:
        """HDF5 reads back what it wrote."""
        return True

    def writable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """As of the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As of the file."""
        return self._file.tell()

    def readinto(self, buffer: Any, /) -> int:
        """What the file has; zeros where an error kept it from being written."""
        view = memoryview(buffer).cast("B")
        found = self._file.readinto(view) or 0
        if self.error is not None:
            view[found:] = bytes(len(view) - found)
            return len(view)
        return found

    def write(self, buffer: Any, /) -> int:
        """All of it, or nothing any more once the disk has refused."""
        view = memoryview(buffer).cast("B")
        done = 0
        try:
            while self.error is None and done < len(view):
                done += self._file.write(view[done:]) or 0
        except OSError as error:
            self.error = error
        return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        """As of the file."""
        try:
            if self.error is None:
                return self._file.truncate(size)
        except OSError as error:
            self.error = error
        return self._file.tell() if size is None else size

    def close(self) -> None:
        """Closes the file; the disk may refuse even then."""
        if not self.closed:
            try:
                self._file.close()
            except OSError as error:
                self.error = self.error or error
        super().close()
