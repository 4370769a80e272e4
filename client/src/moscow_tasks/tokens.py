"""Where the tokens of a user are kept: in memory, or in a file that only the user can read."""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel


@dataclass(frozen=True)
class Tokens:
    access: str = field(repr=False)
    refresh: str = field(repr=False)


class TokenStore(Protocol):
    """Keeps the tokens of one user of one service."""

    def load(self) -> Tokens | None: ...

    def save(self, tokens: Tokens) -> None: ...

    def clear(self) -> None: ...


class MemoryStore:
    """Keeps the tokens as long as the program runs."""

    def __init__(self) -> None:
        self._tokens: Tokens | None = None

    def load(self) -> Tokens | None:
        return self._tokens

    def save(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def clear(self) -> None:
        self._tokens = None


class _Content(BaseModel):
    """What is in the file."""

    #: Where the user signed in last.
    url: str | None = None
    #: By URL: tokens go only to the service that issued them.
    tokens: dict[str, Tokens] = {}


class Settings:
    """The file with the URL that was used last and the tokens for each URL."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def url(self) -> str | None:
        return self._read().url

    def remember(self, url: str) -> None:
        self._write(self._read().model_copy(update={"url": url}))

    def tokens(self, url: str) -> Tokens | None:
        return self._read().tokens.get(url)

    def keep(self, url: str, tokens: Tokens | None) -> None:
        content = self._read()
        content.tokens.pop(url, None)
        if tokens:
            content.tokens[url] = tokens
        self._write(content)

    def _read(self) -> _Content:
        try:
            return _Content.model_validate_json(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return _Content()

    def _write(self, content: _Content) -> None:
        """Replace the file in one step, so that nobody ever reads half of it."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # mkstemp makes files that only their owner can read.
        handle, name = tempfile.mkstemp(dir=self._path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(content.model_dump_json(indent=2))
            Path(name).replace(self._path)
        finally:
            Path(name).unlink(missing_ok=True)


class FileStore:
    """Keeps the tokens for one URL in a file."""

    def __init__(self, path: Path, url: str) -> None:
        self._settings, self._url = Settings(path), url

    def load(self) -> Tokens | None:
        return self._settings.tokens(self._url)

    def save(self, tokens: Tokens) -> None:
        self._settings.keep(self._url, tokens)

    def clear(self) -> None:
        self._settings.keep(self._url, None)
