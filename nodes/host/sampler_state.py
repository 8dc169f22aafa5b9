"""Which model call of a sampler shows the sampler's own latent, so that moving it in place moves the sampler."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...hrv_engine.errors import HRVError

# After a finished step, these make one trial call before they show their latent; all other tested samplers show it in
# the first call at the next step's noise level.
SECOND_CALL = frozenset(
    f"sample_{name}"
    for name in (
        "heun",
        "exp_heun_2_x0",
        "exp_heun_2_x0_sde",
        "dpm_2_ancestral",
        "dpmpp_2s_ancestral",
        "dpmpp_2s_ancestral_cfg_pp",
    )
)
# Samplers that show only copies and trial states, choose noise levels of their own, or (heunpp2) vary the call.
OUT_OF_REACH = {
    "sample_unipc": "uni_pc",
    "sample_unipc_bh2": "uni_pc_bh2",
    "sample_sa_solver": "sa_solver",
    "sample_sa_solver_pece": "sa_solver_pece",
    "sample_heunpp2": "heunpp2",
    "dpm_fast_function": "dpm_fast",
    "dpm_adaptive_function": "dpm_adaptive",
}


@dataclass
class SamplerState:
    """Follows one run: which step comes next and how often the model was called since the last one was finished."""

    sigmas: Tensor
    second_call: bool
    step: int = 0
    calls: int = 0
    shown: bool = False

    @classmethod
    def of(cls, sampler: Any, sigmas: Tensor, denoise_mask: Any) -> "SamplerState":
        """For a SAMPLER object; raises HRVError for one whose latent cannot be reached, and for inpainting masks."""
        name = getattr(getattr(sampler, "sampler_function", None), "__name__", type(sampler).__name__)
        if name in OUT_OF_REACH:
            raise HRVError(
                f"The sampler {OUT_OF_REACH[name]} does not show the model its own latent in a known call of every"
                " step, so the latent cannot be guided. Choose another: ddim, euler, dpmpp_2m, dpmpp_sde, heun and most"
                " others work."
            )
        if denoise_mask is not None:
            raise HRVError(
                "This latent has an inpainting mask: the sampler shows the model a mixture of its latent and the"
                " image, so the latent cannot be guided. Take the mask off (Set Latent Noise Mask), or guide a whole"
                " image."
            )
        return cls(sigmas, name in SECOND_CALL)

    @property
    def steps(self) -> int:
        """How many steps the run has."""
        return len(self.sigmas) - 1

    def counting(self, callback: Callable | None) -> Callable:
        """A sampler callback that notes finished steps, around the one that was there."""

        def step_done(step: int, *rest: Any) -> None:
            self.step, self.calls, self.shown = step + 1, 0, False
            if callback is not None:
                callback(step, *rest)

        return step_done

    def step_shown(self, sigma: Tensor) -> int | None:
        """The number of the step whose latent this model call shows, None if it shows something else."""
        self.calls += 1
        early = self.second_call and self.step > 0 and self.calls < 2
        if self.shown or early or self.step >= self.steps or float(sigma.max()) != float(self.sigmas[self.step]):
            return None
        self.shown = True
        return self.step
