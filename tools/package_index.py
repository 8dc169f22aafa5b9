#!/usr/bin/env python3
"""Download one file of a package index as it is: pip would run a source archive's build before anybody looked at it.

    PAGES="..." python3 tools/package_index.py FILE FOLDER

PAGES: the package's pages on indexes (PEP 503), other pages with links, and folders, as addresses, file:// or paths
without blanks; they are tried in turn. The caller checks what came. Needs only Python's standard library;
tools/bootstrap.py runs it.
"""

from __future__ import annotations

import base64
import os
import shutil
import ssl
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener, url2pathname

TIMEOUT = 60  # seconds without an answer
LARGEST_PAGE = 2**26  # bytes


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if tag == "a" and name == "href" and value]


def opened(address: str) -> IO[bytes]:
    """A stream of an address; a user and a password in it go to its host alone, not where that redirects to."""
    parts = urlsplit(address)
    user, at, host = parts.netloc.rpartition("@")
    request = Request(parts._replace(netloc=host, fragment="").geturl(), headers={"Accept": "text/html, */*;q=0.1"})
    if at:
        code = base64.b64encode(unquote(user if ":" in user else f"{user}:").encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {code}")
    proxy = os.environ.get("PIP_PROXY")
    proxies = ProxyHandler({"http": proxy, "https": proxy} if proxy else None)
    return build_opener(HTTPSHandler(context=trust()), proxies).open(request, timeout=TIMEOUT)


def trust() -> ssl.SSLContext:
    """The certificates that pip trusts: the system's, pip's own, and a file in its settings."""
    context = ssl.create_default_context(cafile=os.environ.get("PIP_CERT") or None)
    try:
        from pip._vendor import certifi
    except ImportError:
        return context
    context.load_verify_locations(certifi.where())
    return context


def links(page: str) -> list[str]:
    """Addresses that a page or a folder offers."""
    path = Path(url2pathname(urlsplit(page).path) if page.startswith("file:") else page)
    if path.is_dir() and not (path / "index.html").is_file():
        return [file.resolve().as_uri() for file in sorted(path.iterdir())]
    if path.is_dir():
        page = (path / "index.html").resolve().as_uri()
    elif path.is_file():
        page = path.resolve().as_uri()
    with opened(page) as answer:
        text = answer.read(LARGEST_PAGE).decode("utf-8", "replace")
        final = urlsplit(answer.url)  # type: ignore[attr-defined]  # after redirects: links are relative to it
    user, at, _ = urlsplit(page).netloc.rpartition("@")
    base = final._replace(netloc=f"{user}{at}{final.netloc}").geturl()
    parser = _Links()
    parser.feed(text)
    resolved = [urljoin(base, link) for link in parser.links]
    return [link if urlsplit(link).hostname == urlsplit(page).hostname else without_user(link) for link in resolved]


def name(address: str) -> str:
    """The file's name as it is compared: indexes differ in - and _."""
    return unquote(urlsplit(address).path).rpartition("/")[2].replace("-", "_").lower()


def find(file: str, pages: list[str]) -> str:
    """The address of a file on the first page that has it; raises OSError that tells what each page said."""
    said = []
    for page in pages:
        try:
            return next(link for link in links(page) if name(link) == name(file))
        except StopIteration:
            said.append(f"{without_user(page)}: does not have it")
        except (OSError, ValueError) as error:
            said.append(f"{without_user(page)}: {error}")
    raise OSError(f"no {file} at any of {len(pages)} places:\n" + "\n".join(said))


def without_user(address: str) -> str:
    """An address to show."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def download(file: str, folder: Path, pages: list[str]) -> Path:
    """The file in a folder, byte for byte as a page's link gives it."""
    target = folder / file
    with opened(find(file, pages)) as answer, open(target, "wb") as part:
        shutil.copyfileobj(answer, part)
    return target


if __name__ == "__main__":
    try:
        download(sys.argv[1], Path(sys.argv[2]), os.environ["PAGES"].split())
    except (OSError, ValueError) as error:
        sys.exit(f"{error}")
