"""Static files of pages: text, read at first use, under a path that names what is in them."""

import hashlib
from functools import cached_property
from html import escape
from pathlib import Path
from string import Template

from chalice import Response

from chalicelib.errors import NotFound

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Files:
    """The files of one folder, and single ones from elsewhere.

    Their version is a hash of all of them. It is a part of the path, so a file can name its
    neighbours by relative addresses.
    """

    def __init__(self, folder: Path, *others: Path) -> None:
        self._folder = folder
        self._others = others

    @cached_property
    def texts(self) -> dict[str, str]:
        """The files by name, without the pages themselves."""
        own = sorted(path for path in self._folder.iterdir() if path.suffix in _MEDIA_TYPES)
        return {path.name: path.read_text("utf-8") for path in (*own, *self._others)}

    @cached_property
    def version(self) -> str:
        whole = "".join(f"{name}\0{text}\0" for name, text in self.texts.items())
        return hashlib.sha256(whole.encode()).hexdigest()[:16]

    def page(self, **values: str) -> str:
        """Return index.html with values in place of their `$names`."""
        page = Template((self._folder / "index.html").read_text("utf-8"))
        return page.substitute({name: escape(value) for name, value in values.items()})

    def answer(self, version: str, name: str) -> Response:
        """Return the response with a file. Raises NotFound.

        While a deployment shifts traffic, a page of one version may ask the code of the other
        for its files. It gets what there is, for this once.
        """
        if name not in self.texts:
            raise NotFound
        is_current = version == self.version
        caching = "public, max-age=31536000, immutable" if is_current else "no-cache"
        headers: dict[str, str | list[str]] = {
            "Cache-Control": caching,
            "Content-Type": _MEDIA_TYPES[Path(name).suffix],
        }
        return Response(self.texts[name], headers)
