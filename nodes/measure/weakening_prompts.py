"""HRV Weakening Prompts: the prompts of a weakening experiment, each with its scored word and seeds (Table 5)."""

from comfy_api.latest import io

from ...hrv_engine.benchmarks.weakening import WeakeningExperiment, experiment_of, load_experiments, parse_seeds
from ...hrv_engine.paths import PRESETS
from ..types import CATEGORY


def _experiments() -> dict[str, WeakeningExperiment]:
    """All weakening experiments of hrv_presets/benchmarks as `file: name`."""
    return {
        f"{path.stem}: {name}": experiment
        for path in sorted((PRESETS / "benchmarks").glob("*.yaml"))
        for name, experiment in load_experiments(path).items()
    }


class HRVWeakeningPrompts(io.ComfyNode):
    """An experiment as lists: what is connected to them runs once for each prompt and seed."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        names = list(_experiments())
        pocket = next((name for name in names if name.startswith("pocket")), None)
        return io.Schema(
            node_id="HRVWeakeningPrompts",
            display_name="HRV Weakening Prompts",
            category=f"{CATEGORY}/measure",
            description=(
                "The prompts of an ordered-weakening experiment of the paper, or of the pocket model, as lists: every"
                " node connected to them runs once for each prompt and seed."
            ),
            search_aliases=["hrv", "benchmark", "prompt list", "ordered weakening", "experiment", "batch prompts"],
            inputs=[
                io.Combo.Input(
                    "experiment",
                    options=names,
                    default=pocket,
                    tooltip=(
                        "ordered_weakening: the paper's experiments; drawings_weakening and pocket_weakening: those of"
                        " the two pocket models, drawings and squares."
                    ),
                ),
                io.Int.Input(
                    "prompts",
                    default=0,
                    min=0,
                    max=10000,
                    tooltip="How many of the prompts, evenly spread over the words; 0 is all of them.",
                ),
                io.String.Input(
                    "seeds",
                    default="",
                    placeholder="10, 20, 30",
                    tooltip="Seeds for every prompt, separated by commas. Empty: the experiment's own.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="text", is_output_list=True, tooltip="The prompts; to HRV Prompt."),
                io.String.Output(
                    display_name="word", is_output_list=True, tooltip="The scored word of each; to HRV Score Images."
                ),
                io.Int.Output(
                    display_name="seed", is_output_list=True, tooltip="The seed of each; to HRV Weaken Sweep."
                ),
                io.String.Output(display_name="concept", tooltip="The concept whose heads are weakened."),
            ],
        )

    @classmethod
    def execute(cls, experiment, prompts, seeds) -> io.NodeOutput:
        chosen = experiment_of(_experiments(), experiment).first(prompts)
        numbers = parse_seeds(seeds, chosen.seeds)
        runs = [(text, word, seed) for text, word in chosen.prompts for seed in numbers]
        texts, words, seeds_of_runs = map(list, zip(*runs, strict=True))
        return io.NodeOutput(texts, words, seeds_of_runs, chosen.concept)
