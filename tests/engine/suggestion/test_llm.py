"""A language model asked over a local server that speaks the protocol: what is sent, taken, dropped and refused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from comfyui_hrv.tests.chatserver import Chat, chatting
from comfyui_hrv.tests.engine.examples import concept_set, small_layout
from comfyui_hrv.tests.oddserver import OK, dripping, sending
from hrv_engine.errors import HRVError
from hrv_engine.relevance.relevance import HeadRelevance
from hrv_engine.suggestion.llm import Endpoint, key_from
from hrv_engine.suggestion.llm_senses import answer_text, ask_senses, read_answer

HRV = HeadRelevance(np.eye(4, 8, dtype=np.float32) * 8, concept_set("Color", "Fruit", "Plant", "Size"), small_layout())
ORANGE = {"word": "orange", "senses": ["Fruit", "Color"], "meant": "Color", "misread_as": "Fruit"}
PROMPT, WORDS = "an orange square", ["orange", "square"]


@pytest.fixture
def chat() -> Iterator[Chat]:
    with chatting() as server:
        yield server


def put(chat: Chat, **changes):
    return ask_senses(Endpoint(chat.address, "tiny", **changes), PROMPT, WORDS, HRV)


def test_prompt_words_and_voted_concepts_are_sent_at_temperature_zero(chat):
    chat.says(ORANGE)
    answer = put(chat, key="secret")
    (request,) = chat.asked
    assert request["path"] == "/v1/chat/completions" and request["key"] == "Bearer secret"
    assert request["body"]["model"] == "tiny" and request["body"]["temperature"] == 0
    sent = json.loads(request["body"]["messages"][1]["content"])
    assert sent == {"prompt": PROMPT, "words": WORDS, "concepts": ["Color", "Fruit", "Plant", "Size"]}
    assert (answer.first.word, answer.first.desired, answer.first.undesired) == ("orange", "Color", "Fruit")
    assert answer.dropped == ()


def test_a_model_that_has_but_one_temperature_is_asked_without():
    with chatting() as chat:
        chat.says(ORANGE)
        chat.refuses = "temperature"
        assert put(chat).first.word == "orange"
        assert ["temperature" in request["body"] for request in chat.asked] == [True, False]
        chat.refuses = "messages"
        with pytest.raises(HRVError, match="answered 400 Bad Request"):
            put(chat)
        assert len(chat.asked) == 3


def test_no_key_is_sent_unless_there_is_one(chat):
    chat.says(ORANGE)
    put(chat)
    assert chat.asked[0]["key"] is None


def test_what_is_outside_the_legal_set_is_dropped_and_said_so(chat):
    chat.says(
        {"word": "ORANGE", "senses": ["fruit", "Beverage", "Color"], "meant": "color", "misread_as": "Fruit"},
        {"word": "vase", "senses": ["Color"]},
        {"word": "square", "senses": ["Geometry"], "meant": "Geometry", "misread_as": ""},
    )
    answer = put(chat)
    assert [one.word for one in answer.words] == ["orange"] and answer.first.senses == ("Fruit", "Color")
    text = answer_text(answer, WORDS, HRV, "tiny")
    assert '"Beverage" (no concept)' in text and "vase" in text and '"Geometry" (no concept)' in text
    assert "Nothing usable was said about: square" in text and "cosine of their vectors 0.00" in text


def test_a_meaning_that_is_no_concept_proposes_nothing(chat):
    chat.says({"word": "orange", "senses": ["Fruit"], "meant": "Colour", "misread_as": "Fruit"})
    answer = put(chat)
    assert answer.first is None and "No word has a second meaning" in answer_text(answer, WORDS, HRV, "tiny")


def test_json_is_found_among_thoughts_and_fences(chat):
    draft = json.dumps({"words": []})
    chat.text = (
        f"<think>{{perhaps}} {draft}</think>\n```json\n{json.dumps({'words': [ORANGE]})}\n``` I hope this helps."
    )
    assert put(chat).first.word == "orange"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("I cannot tell.", "no such list"),
        ('{"words": [', "no such list"),
        ('{"words": "orange"}', "no such list"),
        ('{"words": [{"word": "orange", "senses": ["Drink"]}]}', "1 other words or concepts"),
        ('{"words": ["orange"]}', "1 other words or concepts"),
        ('{"words": [{"word": ["orange"], "senses": {"a": "Fruit"}}, 7, null]}', "3 other words or concepts"),
    ],
    ids=["prose", "half an answer", "no list", "no concept at all", "another form", "other types"],
)
def test_an_answer_of_no_use_is_told_with_what_would_have_been_legal(chat, text, fault):
    chat.text = text
    with pytest.raises(HRVError, match=f"cannot be used.*{fault}.*orange, square.*Color, Fruit, Plant, Size"):
        put(chat)


BOMBS = {
    "braces": "{" * 2**20,
    "brackets": '{"words": ' + "[" * 2**20,
    "nested objects": '{"words": [' + '{"word": ' * 2**17,
    "many beginnings": '{"words": [' * 2**16,
    "many whole lists in one that is not": '{"words": [[' + '{"words": []},' * 2**15,
    "keys": '"words"' * 2**17,
    "keys and blanks": ('"words"' + " " * 1000) * 1000,
    "a digit": '{"words": [' + "9" * 2**20,
    "a number": '{"words": [' + "9" * 2**17 + "]}",
    "quotes": '{"words": ["' + '\\"' * 2**18,
    "escapes": '{"words": ["' + "\\ud83c" * 2**16,
    "too long to look through": " " * 2**19 + json.dumps({"words": [ORANGE]}),
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=list(BOMBS))
def test_whatever_a_model_says_is_read_or_refused_at_once(text):
    start = time.monotonic()
    with pytest.raises(HRVError, match="cannot be used"):
        read_answer(text, WORDS, HRV.voted)
    assert time.monotonic() - start < 2


def test_an_answer_after_long_thoughts_is_found_at_once(chat):
    chat.text = '{"words": [{"word": ' * 5000 + "{" * 100_000 + json.dumps({"note": {}, "words": [ORANGE]}) + "}"
    start = time.monotonic()
    assert put(chat).first.word == "orange"
    assert time.monotonic() - start < 2


def test_the_report_of_what_was_dropped_is_short_and_printable(chat):
    strange = [{"word": "\x1b[31m\ud83c" * 50, "senses": []} for _ in range(1000)]
    chat.says(ORANGE, {"word": "square", "senses": [f"\ud83cX{number}" for number in range(1000)]}, *strange)
    text = answer_text(put(chat), WORDS, HRV, "tiny")
    assert "and 1980 more" in text and len(text) < 5000 and "\x1b" not in text
    text.encode()


@pytest.mark.parametrize(("status", "advice"), [(401, "key_variable"), (404, "base_url"), (429, "quota"), (500, "log")])
def test_a_refusal_is_described_with_what_to_look_at_and_without_its_words_or_the_key(chat, status, advice):
    chat.status, chat.raw = status, b'{"error": {"message": "root:x:0:0"}}'
    with pytest.raises(HRVError, match=rf"answered {status} .*\(application/json\).*{advice}") as failure:
        put(chat, key="secret")
    assert "root" not in told(failure) and "secret" not in told(failure)
    assert "secret" not in repr(Endpoint(chat.address, "tiny", "secret"))


def told(failure) -> str:
    """All messages that a log shows of an error: its own and those of its causes."""
    error, messages = failure.value, []
    while error is not None:
        messages.append(repr(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return " ".join(messages)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(chat, status):
    with chatting() as other:
        chat.status, chat.headers = status, {"Location": f"{other.address}/chat/completions"}
        with pytest.raises(HRVError, match=f"answered {status} .*not followed: write the final one into base_url"):
            put(chat, key="secret")
        assert other.asked == [] and len(chat.asked) == 1


def test_a_server_that_is_not_there_or_does_not_answer_is_told_apart(chat):
    chat.says(ORANGE)
    chat.delay = 1.0
    with pytest.raises(HRVError, match="no answer within 0.2 seconds.*timeout"):
        put(chat, timeout=0.2)
    with pytest.raises(HRVError, match="127.0.0.1:9/v1/chat/completions cannot be reached: Connection refused"):
        ask_senses(Endpoint("http://127.0.0.1:9/v1", "tiny"), PROMPT, WORDS, HRV)


class Cancelled(Exception):
    pass


@pytest.mark.parametrize("steps", [[(60.0, b"")], [(0.0, OK), dripping()]], ids=["silent", "a byte at a time"])
def test_a_server_that_drips_is_left_in_time_or_when_the_user_cancels(steps):
    def cancel() -> None:
        if time.monotonic() > start + 0.3:
            raise Cancelled

    with sending(*steps) as odd:
        endpoint = Endpoint(odd.address, "tiny", timeout=60)
        start = time.monotonic()
        with pytest.raises(Cancelled):
            ask_senses(endpoint, PROMPT, WORDS, HRV, cancel)
        assert time.monotonic() - start < 2
        start = time.monotonic()
        with pytest.raises(HRVError, match="no answer within 0.5 seconds"):
            ask_senses(replace(endpoint, timeout=0.5), PROMPT, WORDS, HRV)
        assert time.monotonic() - start < 2


def test_asking_again_without_temperature_gets_no_time_of_its_own(chat):
    chat.says(ORANGE)
    chat.refuses, chat.delay = "temperature", 0.7
    with pytest.raises(HRVError, match="no answer within 1 seconds"):
        put(chat, timeout=1)


@pytest.mark.parametrize(
    "raw",
    [
        b"root:x:0:0",
        b"<html>root</html>",
        b'{"choices": []}',
        b'{"choices": [{"message": null}]}',
        b"[]",
        b'"root"',
        b"[" * 100_000,
        b'{"choices": ' + b"9" * 100_000 + b"}",
        b"\xff\xfe\x00",
        b"",
    ],
    ids=range(10),
)
def test_another_protocol_is_described_and_not_quoted(chat, raw):
    chat.raw = raw
    with pytest.raises(HRVError, match=f"did not answer as a chat-completions endpoint.*{len(raw)} bytes") as failure:
        put(chat)
    assert "root" not in told(failure)


def test_an_answer_of_many_megabytes_is_not_taken(chat):
    chat.raw = b"{" * (2**20 + 1)
    with pytest.raises(HRVError, match="more than 1048576 bytes"):
        put(chat)


@pytest.mark.parametrize(
    ("address", "model", "message"),
    [
        ("localhost:11434", "a", "no address"),
        ("file:///etc/passwd", "a", "no address"),
        ("http://127.0.0.1:8188/api/jobs#", "a", "no address"),
        ("http://127.0.0.1:8188/upload?", "a", "no address"),
        ("http://x/v1", " ", "No model"),
    ],
)
def test_an_endpoint_needs_a_web_address_and_a_model(address, model, message):
    with pytest.raises(HRVError, match=message):
        Endpoint(address, model)


def test_a_key_goes_only_where_the_environment_says_it_belongs():
    here = {"KEY": "secret", "KEY_FOR": "https://good.example/v1/"}
    assert key_from("", "https://anywhere", here) is None
    assert key_from("KEY", "https://good.example/v1", here) == "secret"
    with pytest.raises(
        HRVError, match="not sent to https://evil.example.*KEY_FOR is https://good.example/v1"
    ) as failure:
        key_from("KEY", "https://evil.example", here)
    assert "secret" not in str(failure.value)
    with pytest.raises(HRVError, match="PATH_FOR is not set"):
        key_from("PATH", "https://evil.example", {"PATH": "/bin"})
    with pytest.raises(HRVError, match='no environment variable "ABSENT"'):
        key_from("ABSENT", "https://good.example", here)


@pytest.mark.parametrize("owner", ["HTTPS://Good.Example:443/v1", " https://good.example/v1// "])
def test_an_address_may_be_spelt_in_another_way_for_its_key(owner):
    here = {"KEY": " secret\n", "KEY_FOR": owner}
    assert key_from("KEY", "https://good.example/v1", here) == "secret"


@pytest.mark.parametrize(
    "owner", ["https://good.example", "http://good.example/v1", "https://good.example:444/v1", "x"]
)
def test_a_key_for_another_path_scheme_or_port_stays(owner):
    with pytest.raises(HRVError, match="The key in KEY is not sent"):
        key_from("KEY", "https://good.example/v1", {"KEY": "secret", "KEY_FOR": owner})


@pytest.mark.parametrize(
    "key", ["sk-proj-hunter2", "hunter2", "AIza_hunter2", "hunter2=", "hunter2\x00", "\ud83chunter2"]
)
def test_a_key_typed_as_the_name_of_its_variable_is_not_quoted(key):
    with pytest.raises(HRVError, match="not quoted: it may be a key.*never the key") as failure:
        key_from(key, "https://good.example")
    assert "hunter2" not in told(failure)


@pytest.mark.parametrize(
    "key", ["hunter2\r\nX-Evil: 1", "hunter2 hunter2", "hunter2\u20ac", "hunter2\ud83c", "hunter2\x00"]
)
def test_a_key_that_no_header_can_carry_is_not_quoted(chat, key):
    with pytest.raises(HRVError, match="key_variable") as failure:
        put(chat, key=key)
    assert "hunter2" not in told(failure) and chat.asked == []
