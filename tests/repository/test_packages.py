"""What ships is what stands in the folders."""

import subprocess
import tomllib

import pytest

ROOMS = ("compartments", "graphs", "engines", "traces", "models", "yaml_models", "cli")
AT_THE_TOP = {
    *ROOMS,
    "tests", "docs", "benchmarks", ".ci", ".gitignore", "pyproject.toml",
    "README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "CONTRIBUTING.md",
    "__init__.py", "__main__.py", "py.typed",
}  # fmt: skip


@pytest.fixture
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))


def test_the_packages_listed_are_the_folders(root, project):
    folders = {
        ".".join(("apical", *p.parent.relative_to(root).parts))
        for room in ROOMS
        for p in (root / room).rglob("*.py")
    }
    assert {"apical", *folders} == set(project["tool"]["setuptools"]["packages"])
    for name in folders:
        assert (root.joinpath(*name.split(".")[1:]) / "__init__.py").is_file(), name


def test_every_data_file_ships(root, project):
    data = project["tool"]["setuptools"]["package-data"]
    for room in ROOMS:
        for path in (root / room).rglob("*"):
            if path.is_file() and path.suffix not in {".py", ".pyc", ".nbi", ".nbc"}:
                package = ".".join(("apical", *path.parent.relative_to(root).parts))
                assert any(path.match(pattern) for pattern in data.get(package, [])), path


def test_the_root_holds_what_was_agreed(root):
    if not (root / ".git").exists():
        pytest.skip("not a git checkout")
    names = subprocess.run(
        ["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    assert {name.split("/")[0] for name in names if name} <= AT_THE_TOP


def test_the_version_stands_once_for_all(root, project):
    import apical

    assert apical.__version__ == project["project"]["version"]
    assert f"version: {apical.__version__}" in (root / "CITATION.cff").read_text("utf-8")
    assert f"## {apical.__version__}" in (root / "CHANGELOG.md").read_text("utf-8")


def test_no_machine_path_and_no_test_package(root):
    words = ["/" + w for w in ("work/", "opt/", "root/", "home/")] + ["/" + "tmp/"]
    for path in [
        p for room in (*ROOMS, "tests", "docs", "benchmarks", ".ci") for p in files(root, room)
    ]:
        text = path.read_text("utf-8", errors="replace")
        found = [
            word for word in words if f'"{word}' in text or f"'{word}" in text or f" {word}" in text
        ]
        assert not found, f"{path}: carries the machine path {found}"
    assert not list((root / "tests").rglob("__init__.py"))


def files(root, room):
    kinds = {".py", ".md", ".yaml", ".toml", ".lark", ".sh", ""}
    return [p for p in (root / room).rglob("*") if p.is_file() and p.suffix in kinds]
