"""Addresses have one strict form: whatever is typed goes to the host and below the path that it shows, or nowhere."""

from __future__ import annotations

import random
from urllib.parse import urlsplit
from urllib.request import Request

import pytest

from hrv_engine.errors import HRVError
from hrv_engine.relevance import fetch
from hrv_engine.remote.addresses import below, web_address
from hrv_engine.remote.client import Server
from hrv_engine.suggestion.llm import Endpoint, key_from

EXAMPLE = "https://example.org/v1"
KEY = {"KEY": "secret", "KEY_FOR": "https://example.org/v1"}
ILLEGAL = {
    "nothing": "",
    "only blanks": " \n ",
    "no scheme": "example.org/v1",
    "a file": "file:///etc/passwd",
    "ftp": "ftp://example.org/",
    "data": "data:text/plain,x",
    "javascript": "javascript:alert(1)",
    "a scheme inside": "x-http://example.org",
    "one slash": "http:/example.org",
    "three slashes": "http:///etc/passwd",
    "no host": "https://",
    "no host but a port": "http://:80/v1",
    "a query": "http://example.org/admin?x=",
    "an empty query": "http://example.org/admin?",
    "a fragment": "http://example.org/admin#",
    "a fragment in the host": "http://example.org#.good.org/v1",
    "a query in the host": "http://example.org?.good.org/v1",
    "a user": "http://user@example.org/v1",
    "a user and a password": "http://user:hunter2@example.org/v1",
    "a host as the user": "http://good.org@evil.org/v1",
    "an empty user": "http://@example.org/v1",
    "a backslash": "http://example.org\\@evil.org/v1",
    "a backslash in the path": "http://example.org/a\\..\\b",
    "a space": "http://example.org/a b",
    "a tab": "http://exa\tmple.org/",
    "a line break": "http://example.org/v1\r\nHost: evil.org",
    "a line feed": "http://example.org\n/v1",
    "a NUL": "http://example.org/\x00",
    "an escape": "http://example.org/\x1b[31m",
    "half a character": "http://example.org/\ud83c",
    "a no-break space": "http://example.org/a\xa0b",
    "letters of other scripts in the host": "http://ехample.org/v1",
    "a wide dot": "http://example\uff0eorg/v1",
    "a wide slash": "http://example.org\uff0fv1",
    "letters of other scripts in the path": "http://example.org/é",
    "a step up": "http://example.org/v1/../admin",
    "a step up at the end": "http://example.org/v1/..",
    "a step up, escaped": "http://example.org/v1/%2e%2E/admin",
    "a step up, half escaped": "http://example.org/v1/.%2e/admin",
    "a step up with a parameter": "http://example.org/v1/..;a=b/admin",
    "a single dot": "http://example.org/./v1",
    "an escaped slash": "http://example.org/v1%2fadmin",
    "an escaped backslash": "http://example.org/v1%5cadmin",
    "an escaped line break": "http://example.org/v1%0d%0aHost:evil.org",
    "an escaped NUL": "http://example.org/%00",
    "a percent sign alone": "http://example.org/100%",
    "half an escape": "http://example.org/%2",
    "port 0": "http://example.org:0/",
    "a port that is too large": "http://example.org:65536/",
    "a port of letters": "http://example.org:http/",
    "a port of other digits": "http://example.org:\u0661\u0662/",
    "a second port": "http://example.org:80:80/",
    "an open bracket": "http://[::1/v1",
    "brackets with no address": "http://[localhost]/v1",
    "a host that begins with a dot": "http://.example.org/",
    "two dots in a host": "http://example..org/",
    "brackets in the path": "http://example.org/[x]",
    "quotes": 'http://example.org/"x"',
    "far too long": "http://example.org/" + "a" * 5000,
}
LEGAL = {
    "http://127.0.0.1:11434/v1": "http://127.0.0.1:11434/v1",
    "  https://Example.ORG/V1/ \n": "https://example.org/V1",
    "HTTP://localhost": "http://localhost",
    "https://example.org:443/v1//": "https://example.org/v1",
    "http://example.org:443/": "http://example.org:443",
    "http://example.org:00080": "http://example.org",
    "http://[::1]:8188/": "http://[::1]:8188",
    "http://ollama_1:11434/v1": "http://ollama_1:11434/v1",
    "http://xn--bcher-kva.example/v1": "http://xn--bcher-kva.example/v1",
    "https://example.org/a%20b/~me/x;y=1,2/...": "https://example.org/a%20b/~me/x;y=1,2/...",
    "https://example.org/@scope/pkg@1.0": "https://example.org/@scope/pkg@1.0",
}


@pytest.mark.parametrize("text", ILLEGAL.values(), ids=list(ILLEGAL))
def test_anything_but_scheme_host_and_path_is_refused_with_the_form_and_an_example(text):
    with pytest.raises(HRVError) as refusal:
        web_address(text, "a language model", EXAMPLE)
    said = str(refusal.value)
    assert "is no address of a language model: " in said and EXAMPLE in said and 'without user or password, "?"' in said
    assert "hunter2" not in said and len(said) < 500


@pytest.mark.parametrize(("text", "address"), LEGAL.items())
def test_a_legal_address_has_one_spelling(text, address):
    assert web_address(text, "a server", EXAMPLE) == address
    assert web_address(address, "a server", EXAMPLE) == address


@pytest.fixture
def fetched_from(tmp_path, monkeypatch):
    """HRV Fetch's way from a mirror to what is asked for."""

    class Asked(Exception):
        pass

    def ask(address, **_):
        raise Asked(address)

    def fetched(mirror: str) -> str:
        with pytest.raises(Asked) as asked:
            fetch.fetch(fetch.published("sd14"), tmp_path / "x.safetensors", mirror)
        return str(asked.value)

    monkeypatch.setattr(fetch, "ask", ask)
    return fetched


@pytest.mark.parametrize("text", [text for text in ILLEGAL.values() if text.strip()])
def test_no_place_where_an_address_is_typed_takes_another_form(text, fetched_from):
    with pytest.raises(HRVError, match="is no address of a ComfyUI server"):
        Server(text if ":/" in text else f"file://{text}")
    with pytest.raises(HRVError, match="is no address of a folder"):
        fetched_from(text)
    for take in (lambda: Endpoint(text, "tiny"), lambda: key_from("", text), lambda: key_from("KEY", text, KEY)):
        with pytest.raises(HRVError, match="is no address of a language model"):
            take()


@pytest.mark.parametrize(("text", "address"), LEGAL.items())
def test_every_place_where_an_address_is_typed_asks_below_it(text, address, fetched_from):
    assert Server(text).url == Endpoint(text, "tiny").address == address
    assert fetched_from(text) == f"{address}/{fetch.published('sd14').file}"


def test_mutated_addresses_keep_their_host_and_path_or_are_refused():
    chance = random.Random(12)
    pieces = [
        *"/:@?#\\.%;&=[]~-_ \t\r\n\x00",
        "%2e",
        "%2f",
        "//",
        "..",
        "http://",
        "evil.org",
        "\ud83c",
        "é",
        "user:pw@",
    ]
    taken = 0
    for _ in range(20_000):
        text = "https://example.org/v1/models"
        for _ in range(chance.randint(1, 3)):
            place = chance.randint(0, len(text))
            text = text[:place] + chance.choice(pieces) + text[place + chance.randint(0, 1) :]
        try:
            address = web_address(text, "a server", EXAMPLE)
        except HRVError:
            continue
        taken += 1
        final = below(address, "chat", "completions")
        read, sent = urlsplit(final), Request(final)
        assert read.path.endswith("/chat/completions") and not read.query and not read.fragment and not read.username
        assert sent.host == read.netloc and sent.selector == read.path
        assert ".." not in read.path.split("/") and "\\" not in final and final.isascii() and final.isprintable()
        assert f"//{read.netloc}".lower() in text.lower()
    assert taken > 1000


def test_a_name_below_an_address_is_one_step_whatever_is_in_it():
    assert below("https://example.org/v1", "chat", "completions") == "https://example.org/v1/chat/completions"
    assert below("https://example.org", "a/../b?c#d é") == "https://example.org/a%2F..%2Fb%3Fc%23d%20%C3%A9"
    with pytest.raises(ValueError, match="no names"):
        below("https://example.org", "..")
