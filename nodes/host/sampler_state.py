"""Which model call of a run shows the sampler's own latent, so that moving it in place moves the sampler."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...hrv_engine.errors import HRVError
from .rehearsal import CallCounter
from .sampler_support import SamplerSupport


@dataclass
class SamplerState(CallCounter):
    """Follows one run by its calls: `own` says for every step which call, from 1, shows the sampler's own latent.

    before, whole: steps before the run's first, and of the whole schedule of which the run may be a part.
    by_call: every call is a step, the trial call too, as in the authors' code under PNDM; seen: calls so far.
    """

    own: tuple[int, ...] = ()
    shown: bool = False
    before: int = 0
    whole: int = 0
    by_call: bool = False
    seen: int = 0

    @classmethod
    def of(cls, support: SamplerSupport, denoise_mask: Any) -> "SamplerState":
        """For a sampler's run; raises HRVError if its latent cannot be reached, and for inpainting masks."""
        own = support.own_latent()
        if own is None:
            raise HRVError(
                f"The sampler {support.name} does not show the model its own latent in a known call of every step, so"
                " the latent cannot be guided. Choose another: ddim, euler, dpmpp_2m, dpmpp_sde, heun and most others"
                " work."
            )
        if denoise_mask is not None:
            raise HRVError(
                "This latent has an inpainting mask: the sampler shows the model a mixture of its latent and the"
                " image, so the latent cannot be guided. Take the mask off (Set Latent Noise Mask), or guide a whole"
                " image."
            )
        return cls(own=own, by_call=support.steps_are_calls)

    @property
    def steps(self) -> int:
        """How many steps the run has."""
        return len(self.own)

    def counting(self, callback: Callable | None, acts: Callable[[int], bool]) -> Callable:
        """A sampler callback that notes finished steps, around the one that was there.

        It raises HRVError when a step in which the guidance `acts` is over without its latent having been shown.
        """

        def step_done(step: int, *rest: Any) -> None:
            if not self.shown and acts(self.before + self.step):
                raise HRVError(
                    f"Step {self.before + self.step + 1} is over, and the model call in which its latent was to be"
                    " guided never came by: another node on this MODEL answered in its place, as LazyCache does in the"
                    " steps that it skips. Put that node after the HRV node, or take it off."
                )
            self.finished(step)
            self.shown = False
            if callback is not None:
                callback(step, *rest)

        return step_done

    def step_shown(self) -> int | None:
        """Count a model call: the step of the whole schedule whose latent it shows, None if it shows something else."""
        step, call = self.called()
        self.seen += 1
        if self.by_call:
            self.shown = True
            return self.before + self.seen - 1
        if step >= self.steps or call != self.own[step]:
            return None
        self.shown = True
        return self.before + step
