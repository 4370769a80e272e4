"""Tokens in a file: readable only by the user, replaced in one step, one pair per service."""

from pathlib import Path

import pytest

from moscow_tasks import FileStore, Tokens
from moscow_tasks.tokens import Settings

A, B = "http://a.test", "http://b.test"
TOKENS = Tokens("access", "refresh")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "settings.json"


def test_tokens_are_kept(path: Path) -> None:
    assert FileStore(path, A).load() is None
    FileStore(path, A).save(TOKENS)
    assert FileStore(path, A).load() == TOKENS
    FileStore(path, A).clear()
    assert FileStore(path, A).load() is None


def test_tokens_are_only_for_the_service_that_issued_them(path: Path) -> None:
    FileStore(path, A).save(TOKENS)
    assert FileStore(path, B).load() is None
    FileStore(path, B).save(Tokens("x", "y"))
    FileStore(path, B).clear()
    assert FileStore(path, A).load() == TOKENS


def test_only_the_user_can_read_them(path: Path) -> None:
    FileStore(path, A).save(TOKENS)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.chmod(0o644)
    FileStore(path, A).save(TOKENS)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_write_that_fails_leaves_the_old_tokens(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FileStore(path, A).save(TOKENS)

    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        FileStore(path, A).save(Tokens("x", "y"))
    assert FileStore(path, A).load() == TOKENS
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_the_url_of_the_last_sign_in_is_remembered(path: Path) -> None:
    assert Settings(path).url is None
    FileStore(path, A).save(TOKENS)
    Settings(path).remember(A)
    assert Settings(path).url == A
    assert FileStore(path, A).load() == TOKENS


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"url": 1, "tokens": []}', '{"tokens": {"http://a.test": {"access": 1}}}'],
)
def test_a_damaged_file_counts_as_none(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    assert Settings(path).url is None
    assert FileStore(path, A).load() is None
    FileStore(path, A).save(TOKENS)
    assert FileStore(path, A).load() == TOKENS
