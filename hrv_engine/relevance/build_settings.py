"""How vectors are built: the settings of one build, of a shared build and of a vote file, the paper's as defaults."""

from dataclasses import asdict, dataclass
from typing import Any

NO_BEGIN = "none there"  # of `bos_key` where no begin-of-text key can take part
AUTO = "auto"  # a `sampling` that a build resolves by the model
OWN_RUNS, OWN_ROWS = "run beside as prompts", "rows beside the prompt"  # of `words` in a recipe


@dataclass(frozen=True)
class DrawingSettings:
    """How a build draws its images; width and height in pixels."""

    width: int = 512
    height: int = 512
    steps: int = 50
    cfg: float = 7.5
    sampler_name: str = "ddim"
    scheduler: str = "ddim_uniform"
    seed: int = 0
    batch_size: int = 1


@dataclass(frozen=True)
class BuildSettings(DrawingSettings):
    """How images are drawn and votes are taken; everything but seed and batch_size must agree when votes are added.

    sampling: one of the word sampler's, or AUTO.
    """

    draws: int = 1
    sampling: str = AUTO
    bos_key: bool = True
    per_timestep: bool = False
    logit_scale: bool = False

    def recipe(self, family: str, fingerprint: str, begins: bool = True, words: str = "") -> dict[str, Any]:
        """The settings stored in the file, with the model's family and the fingerprint of its weights.

        begins: whether there is a begin-of-text key that can take part; words: how they came into runs of the model.
        """
        own = {key: value for key, value in asdict(self).items() if key not in ("seed", "batch_size")}
        if not begins:
            own["bos_key"] = NO_BEGIN
        if words:
            own["words"] = words
        if not self.logit_scale:
            del own["logit_scale"]  # so that files from before this setting can go on
        return {**own, "model_family": family, "model_fingerprint": fingerprint}


PAPER = BuildSettings()  # on SD1.x

GRADIENT, FORWARD = "gradient", "forward only"
ESTIMATES = (GRADIENT, FORWARD)
SPAN = 0.6  # effects are measured in this first part of the sampling, where a word still decides


@dataclass(frozen=True)
class EffectSettings(DrawingSettings):
    """How heads are found by effect; everything but seed, batch_size and save_memory must agree when parts are added.

    timesteps: how many noise levels of a sampled image are measured; integration: points of r from 0 to 1, 1 for the
    gradient at r = 1; pairs: opposite switchings of heads a noise level, where the estimate is FORWARD (0: all).
    """

    steps: int = 20
    timesteps: int = 3
    integration: int = 4
    estimate: str = GRADIENT
    pairs: int = 32
    save_memory: bool = False

    def recipe(self, family: str, fingerprint: str) -> dict[str, Any]:
        """The settings stored in the file, with the model's family and the fingerprint of its weights."""
        left_out = {"seed", "batch_size", "save_memory", "pairs" if self.estimate == GRADIENT else "integration"}
        own = {key: value for key, value in asdict(self).items() if key not in left_out}
        return {**own, "method": "effect", "model_family": family, "model_fingerprint": fingerprint}

    def places(self, steps: int) -> list[int]:
        """The steps, from 0, of a run of so many at which effects are measured: evenly in its first SPAN.

        The very first is left out where there are others: from pure noise, words that name things act otherwise.
        """
        count, last = min(self.timesteps, max(round(steps * SPAN), 1)), max(steps - 1, 0)
        middles = ((2 * number + 1) * SPAN * steps / (2 * count) for number in range(count))
        return sorted({min(max(int(middle + 1e-6), 1), last) for middle in middles})
