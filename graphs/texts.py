"""Texts: those of the circuits that come with the package, and of files."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from .diagnostics import CircuitError, Diagnostic, Place
from .reading.opening import NoFileError, read_file
from .reading.reader import MAX_SIZE
from .wording import listed, nearest

YAML_MODELS = files(__name__.rpartition(".")[0].rpartition(".")[0]) / "yaml_models"


def bundled() -> tuple[str, ...]:
    """The names of the circuits that come with the package."""
    return tuple(sorted(f.name[:-5] for f in YAML_MODELS.iterdir() if f.name.endswith(".yaml")))


def bundled_text(name: str) -> str:
    """The text of a circuit that comes with the package."""
    return (YAML_MODELS / f"{name}.yaml").read_text(encoding="utf-8")


def text_of(name: str, near: str | None = None) -> tuple[str, str]:
    """The text and the path of a bundled name or a path; `near` is a file it stands beside."""
    if name in bundled():
        return bundled_text(name), f"{name}.yaml"
    path = Path(name)
    if near is not None and not path.is_absolute():
        path = Path(near).parent / path
    try:
        found = read_file(path, 4 * MAX_SIZE)
        text = (found or b"").decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise no_file(name, "is no text in UTF-8") from None
    except NoFileError as error:
        raise no_file(
            name, str(error).removeprefix(f"{path} ").removesuffix(", not a file")
        ) from None
    except PermissionError:
        raise no_file(name, "cannot be read: permission denied") from None
    except (OSError, ValueError):
        raise no_file(name, "is no file, and no bundled circuit has this name") from None
    if found is None:
        raise no_file(name, f"has more than {MAX_SIZE} characters, too many for a circuit")
    return text, str(path)


def no_file(name: str, why: str) -> CircuitError:
    """The error about a path that leads to no circuit file."""
    known = bundled()
    return CircuitError(
        [
            Diagnostic(
                Place(name, 1, 1),
                f"'{name}' {why}",
                expected=f"a path, or one of {listed(known, 20)}",
                suggestion=nearest(name, known),
            )
        ]
    )
