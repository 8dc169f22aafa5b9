"""HRV Suggest LLM: the same question put to a language model that the user runs or rents."""

import comfy.model_management
from comfy_api.latest import io

from ...hrv_engine.suggestion.llm import Endpoint, key_from
from ...hrv_engine.suggestion.llm_senses import answer_text, ask_senses
from ..hints import hint
from ..host.node_texts import shown
from ..types import CATEGORY
from .suggest import asked_words, suggest_inputs, suggest_outputs


class HRVSuggestLLM(io.ComfyNode):
    """Ask an OpenAI-compatible endpoint for the senses of words, within the concepts of an HRV."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVSuggestLLM",
            display_name="HRV Suggest LLM",
            category=f"{CATEGORY}/steering",
            has_intermediate_output=True,
            description=(
                "Asks a language model of yours, over the network, what the words of a prompt may mean and which"
                " meaning is meant. Optional: HRV Suggest and all other nodes work without one."
            ),
            search_aliases=[
                "hrv",
                "llm",
                "language model",
                "openai",
                "ollama",
                "word sense",
                "ambiguous word",
                "suggest concept",
            ],
            inputs=[
                *suggest_inputs("The vectors whose concepts the model may choose from."),
                io.Clip.Input("clip", tooltip="The text encoder of your checkpoint: it says what the words are."),
                io.String.Input(
                    "base_url",
                    default="http://127.0.0.1:11434/v1",
                    tooltip=(
                        "An OpenAI-compatible server, without /chat/completions, ?, # or a user; the default is Ollama"
                        " on this machine. Prompt and concepts are sent there when the node runs, and nowhere else."
                    ),
                ),
                io.String.Input(
                    "model", default="", placeholder="qwen3:8b", tooltip="The model's name, as that server knows it."
                ),
                io.String.Input(
                    "key_variable",
                    default="",
                    placeholder="HRV_LLM_KEY",
                    advanced=True,
                    tooltip=(
                        "Name of an environment variable of ComfyUI that holds the key, never the key itself. A second"
                        " one, with _FOR after the name, must hold base_url. Empty: no key."
                    ),
                ),
                io.Int.Input(
                    "timeout",
                    default=60,
                    min=1,
                    max=3600,
                    advanced=True,
                    tooltip="Seconds for the whole answer. A model that has to be loaded first is slow once.",
                ),
            ],
            outputs=suggest_outputs(),
        )

    @classmethod
    def execute(cls, prompt, hrv, words, clip, base_url, model, key_variable, timeout) -> io.NodeOutput:
        asked = asked_words(clip, prompt, words)
        endpoint = Endpoint(base_url, model, key_from(key_variable, base_url), timeout)
        cancelled = comfy.model_management.throw_exception_if_processing_interrupted
        with hint("HRV Suggest needs no language model."):
            answer = ask_senses(endpoint, prompt, asked, hrv, cancelled)
        text = answer_text(answer, asked, hrv, model.strip())
        first = answer.first
        ends = (first.word, first.desired, first.undesired) if first else ("", "", "")
        return io.NodeOutput(text, *ends, ui=shown(text))
