"""Writing so that nothing half-written is left behind, and nothing overwritten."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sluice.catalogue import RequestError

__all__ = [
    "check_fresh",
    "fresh_file",
    "fresh_folder",
    "keep_json",
    "replace_between",
    "replaced_file",
]


def check_fresh(path: Path) -> None:
    """Raise :class:`RequestError` if ``path`` exists or cannot be written."""
    if path.exists():
        raise RequestError(f"{path} exists: remove it or name another place")
    parent = path.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as e:
        raise RequestError(f"cannot write to {parent}: {e.strerror}; name another place") from e


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """Give a folder to fill; it becomes ``path`` only if the body ends well.

    Raises
    ------
    RequestError
        If ``path`` exists and holds anything, or cannot be written.
    """
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()
    check_fresh(path)
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.absolute().parent))
    try:
        yield partial
        partial.chmod(0o755)
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextmanager
def fresh_file(path: Path) -> Iterator[Path]:
    """Give a file name to write to; it becomes ``path`` only if the body ends well.

    Raises
    ------
    RequestError
        If ``path`` exists or cannot be written.
    """
    check_fresh(path)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.absolute().parent) as tmp:
        partial = Path(tmp) / path.name
        yield partial
        partial.rename(path)


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Give a file name to write to; it takes the place of ``path`` only if the body ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.absolute().parent) as tmp:
        partial = Path(tmp) / path.name
        yield partial
        partial.replace(path)


def keep_json(path: Path, facts: Any) -> None:
    """Write ``facts`` to ``path``, in place of what is there."""
    with replaced_file(path) as partial:
        partial.write_text(json.dumps(facts, indent=1) + "\n")


def replace_between(text: str, begin: str, end: str, body: str) -> str:
    """Return ``text`` with ``body`` as a paragraph between two marks, each of which is there once.

    Raises
    ------
    ValueError
        If one is not.
    """
    head, rest = text.split(begin)
    _, tail = rest.split(end)
    return f"{head}{begin}\n\n{body}\n\n{end}{tail}"
