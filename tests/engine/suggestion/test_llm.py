"""A language model asked over a local server that speaks the protocol: what is sent, taken, dropped and refused."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from comfyui_hrv.tests.chatserver import Chat, chatting
from comfyui_hrv.tests.engine.examples import concept_set, small_layout
from hrv_engine.errors import HRVError
from hrv_engine.relevance.relevance import HeadRelevance
from hrv_engine.suggestion.llm import Endpoint, key_from
from hrv_engine.suggestion.llm_senses import answer_text, ask

HRV = HeadRelevance(np.eye(4, 8, dtype=np.float32) * 8, concept_set("Color", "Fruit", "Plant", "Size"), small_layout())
ORANGE = {"word": "orange", "senses": ["Fruit", "Color"], "meant": "Color", "misread_as": "Fruit"}
PROMPT, WORDS = "an orange square", ["orange", "square"]


@pytest.fixture
def chat() -> Iterator[Chat]:
    with chatting() as server:
        yield server


def put(chat: Chat, **changes):
    return ask(Endpoint(chat.address, "tiny", **changes), PROMPT, WORDS, HRV)


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
        with pytest.raises(HRVError, match="answered 400.*Unsupported value: messages"):
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
    "text",
    ["I cannot tell.", '{"words": [', '{"words": [{"word": "orange", "senses": ["Drink"]}]}', '{"words": ["orange"]}'],
    ids=["prose", "half an answer", "no concept at all", "another form"],
)
def test_an_answer_of_no_use_is_quoted_with_what_would_have_been_legal(chat, text):
    chat.text = text
    with pytest.raises(HRVError, match="(?s)cannot be used.*orange, square.*Color, Fruit, Plant, Size") as failure:
        put(chat)
    assert text[:10] in str(failure.value)


@pytest.mark.parametrize(("status", "advice"), [(401, "key_variable"), (404, "base_url"), (429, "quota"), (500, "log")])
def test_a_refusal_is_quoted_with_what_to_look_at_and_without_the_key(chat, status, advice):
    chat.status, chat.raw = status, b'{"error": {"message": "no such model"}}'
    with pytest.raises(HRVError, match=f"answered {status}.*no such model.*{advice}") as failure:
        put(chat, key="secret")
    assert "secret" not in str(failure.value) and "secret" not in repr(Endpoint(chat.address, "tiny", "secret"))


def test_a_redirect_is_not_followed_with_the_key(chat):
    with chatting() as other:
        chat.status, chat.headers = 302, {"Location": f"{other.address}/chat/completions"}
        with pytest.raises(HRVError, match="answered 302"):
            put(chat, key="secret")
        assert other.asked == []


def test_a_server_that_is_not_there_or_does_not_answer_is_told_apart(chat):
    chat.says(ORANGE)
    chat.delay = 1.0
    with pytest.raises(HRVError, match="no answer within 0.2 seconds.*timeout"):
        put(chat, timeout=0.2)
    with pytest.raises(HRVError, match="127.0.0.1:9/v1/chat/completions cannot be reached"):
        ask(Endpoint("http://127.0.0.1:9/v1", "tiny"), PROMPT, WORDS, HRV)


@pytest.mark.parametrize("raw", [b"<html>hello</html>", b'{"choices": []}', b'{"choices": [{"message": null}]}', b"[]"])
def test_another_protocol_is_quoted(chat, raw):
    chat.raw = raw
    with pytest.raises(HRVError, match="did not answer as a chat-completions endpoint"):
        put(chat)


@pytest.mark.parametrize(
    ("address", "model", "message"),
    [
        ("localhost:11434", "a", "no address"),
        ("file:///etc/passwd", "a", "no address"),
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
