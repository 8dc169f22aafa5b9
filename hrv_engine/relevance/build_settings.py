"""How vectors are built: the settings of one build, of a shared build and of a vote file, the paper's as defaults."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class BuildSettings:
    """How images are drawn and votes are taken; everything but seed and batch_size must agree when votes are added."""

    width: int = 512
    height: int = 512
    steps: int = 50
    cfg: float = 7.5
    sampler_name: str = "ddim"
    scheduler: str = "ddim_uniform"
    seed: int = 0
    batch_size: int = 1
    draws: int = 1
    sampling: str = "per layer"
    bos_key: bool = True
    per_timestep: bool = False
    logit_scale: bool = False

    def recipe(self, family: str, fingerprint: str) -> dict[str, Any]:
        """The settings stored in the file, with the model's family and the fingerprint of its weights."""
        own = {key: value for key, value in asdict(self).items() if key not in ("seed", "batch_size")}
        if not self.logit_scale:
            del own["logit_scale"]  # so that files from before this setting can go on
        return {**own, "model_family": family, "model_fingerprint": fingerprint}


PAPER = BuildSettings()  # on SD1.x
