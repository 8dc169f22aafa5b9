"""What a sampler can be relied on for, found by rehearsals of its own code on a toy before the run.

So every verdict holds for the sampler as it is set up (eta, s_churn, ...), there is no list of samplers to keep, and
those of other packs are tried like the host's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.samplers
import torch
from torch import Tensor

from ...hrv_engine.errors import HRVError
from .noise import KINDS, NoiseKind, SharedNoise
from .rehearsal import Predict, Rehearsal, rehearse, with_options

SPACING = 0.95  # of noise levels in a rehearsal of moves: a trial state then does little to the next step, at most 0.12
FELT = (0.3, 2.0)  # a move of the sampler's own latent is felt so much in the next; 1 where a sampler forgets nothing
SIDE = 8  # of a latent whose rows are compared; some functions of guidance leave smaller ones alone
SAME = 1e-3  # states nearer than this are the same
KEPT = 256  # verdicts

_verdicts: dict[Any, Any] = {}


@dataclass(frozen=True)
class SamplerSupport:
    """The properties of one SAMPLER in a run of a guider over sigmas, on latents like `like` [rows channels ...].

    Each is found when it is first asked for, and known from then on. Raises HRVError for a sampler that fails on a toy.
    """

    sampler: Any
    guider: Any
    sigmas: Tensor
    like: Tensor
    seeded: bool = True

    @property
    def name(self) -> str:
        """As in the host's menus, with the options it was given: euler (s_churn=1.0)."""
        given = {k: v for k, v in _options(self.sampler).items() if isinstance(v, int | float | str)}
        options = ", ".join(f"{key}={value}" for key, value in given.items())
        return _menu_name(self.sampler) + (f" ({options})" if options else "")

    @property
    def steps_are_calls(self) -> bool:
        """Whether guidance counts and moves every call of the sampler as a step of its own (PLMS)."""
        return getattr(getattr(self.sampler, "sampler_function", None), "steps_are_calls", False)

    def own_latent(self) -> tuple[int, ...] | None:
        """For every step the call, from 1, that shows the sampler's own latent; None unless every step has one.

        A latent is its own if moving it in place moves, at full length, what the sampler has at the next step.
        """
        levels = finely_spaced(self.sigmas)
        return self._once(("own latent", tuple(levels.tolist())), lambda: self._own_latent(levels))

    def rows_alone(self, functions: dict[str, Any] | None = None) -> bool:
        """Whether a row of a batch is what it would be alone, whatever is beside it.

        functions: model_options whose functions of guidance take part; they may look at a whole batch.
        """

        def find() -> bool:
            return self._alike(self._alone(functions), None, functions)

        guided = any(key.startswith("sampler_") for key in functions or {})
        return find() if guided else self._once(("rows alone", tuple(self.sigmas.tolist())), find)

    def pair_noise(self) -> NoiseKind | None:
        """The noise to share so that a source and its target are each what the source would be alone; None for none.

        Raises HRVError if no kind of noise makes them so.
        """
        found = self._once(("pair noise", tuple(self.sigmas.tolist())), self._pair_noise)
        if isinstance(found, str):
            raise HRVError(found)
        return found

    def _own_latent(self, levels: Tensor) -> tuple[int, ...] | None:
        calls = len(self._rehearse(self._states(2, 2), levels, _what_is_shown).places)
        start = self._states(calls, 2)  # a column for every call
        plain = self._rehearse(start, levels, _what_is_shown)
        moved = self._rehearse(start, levels, _what_is_shown, moves=True)
        if plain.places != moved.places or len(plain.places) != calls:
            return None
        change = torch.stack(moved.states) - torch.stack(plain.states)
        felt = change.mean(dim=tuple(range(1, change.ndim - 1))).tolist()  # [states][columns]
        steps, own = len(levels) - 1, dict[int, int]()
        for column, (step, number) in enumerate(plain.places):
            later = [state for state in range(column + 1, calls) if plain.places[state][0] <= step + 1]
            later += [calls] * (step >= steps - 1)  # the last state
            if later and all(FELT[0] <= felt[state][column] <= FELT[1] for state in later):
                own.setdefault(step, number)
        return tuple(own[step] for step in range(steps)) if all(step in own for step in range(steps)) else None

    def _pair_noise(self) -> NoiseKind | None | str:
        """What `pair_noise` gives, or what it says when it refuses."""
        alone = self._alone()
        for kind in (None, *KINDS):
            if self._alike(alone, kind):
                return kind
        together = torch.stack(self._rehearse(self._batch(), self.sigmas, _number_by_number).states)
        if torch.allclose(together[:, 0], together[:, 1]):
            return (
                f"The sampler {self.name} looks at all images of a batch together (it chooses its steps by them), so"
                " that a source beside its target is another image than alone. Use euler, ddim, dpmpp_2m, heun or"
                " another that draws every image for itself."
            )
        return (
            f"The sampler {self.name} draws other noise for each image of a batch, and offers no way to share it, so"
            " that source and target would drift apart. Use euler, ddim, dpmpp_2m or another without noise of its own"
            " (s_churn at 0, where there is one)."
        )

    def _alone(self, functions: dict[str, Any] | None = None) -> Rehearsal:
        return self._rehearse(self._states(SIDE), self.sigmas, _number_by_number, functions=functions)

    def _batch(self) -> Tensor:
        """The same source twice, and a third row that is quite another."""
        source = self._states(SIDE)
        return torch.cat([source, source, source.flip(-1) / 50])

    def _alike(self, alone: Rehearsal, kind: NoiseKind | None, functions: dict[str, Any] | None = None) -> bool:
        """Whether equal rows of a batch, beside another, are what they are alone, with noise of a kind shared."""
        batch, options = self._batch(), dict[str, Any]()
        if kind is not None:
            options["noise_sampler"] = SharedNoise(kind, batch, len(batch), self.sigmas, self._seed)
        try:
            with with_options(self.sampler, options):
                together = self._rehearse(batch, self.sigmas, _number_by_number, functions=functions)
        except HRVError:  # it takes no such option
            return False
        pairs = zip(together.states, alone.states, strict=False)
        return len(together.states) == len(alone.states) and all(
            torch.allclose(row[:2], one.expand_as(row[:2]), rtol=SAME, atol=SAME) for row, one in pairs
        )

    @property
    def _seed(self) -> int | None:
        return 0 if self.seeded else None

    def _states(self, width: int, height: int = SIDE) -> Tensor:
        """One row of noise in the shape of the run's latents, but small."""
        shape = (1, self.like.shape[1], *[height] * (self.like.ndim - 3), width)
        return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(self.like)

    def _rehearse(self, start: Tensor, levels: Tensor, predict: Predict, **settings: Any) -> Rehearsal:
        try:
            return rehearse(self.sampler, self.guider, start, levels, predict, self._seed, **settings)
        except Exception as error:
            raise HRVError(
                f"The sampler {self.name} failed when it was tried on a toy latent before the run"
                f" ({type(error).__name__}: {error}), so it is not known whether its latent and its noise can be relied"
                " on. Use euler, ddim, dpmpp_2m, heun or another."
            ) from error

    def _once(self, name: Any, find: Callable[[], Any]) -> Any:
        """What `find` finds, found once for a sampler function, its options and what else a rehearsal depends on."""
        function = getattr(self.sampler, "sampler_function", self.sampler)
        surroundings = type(self.guider.inner_model.model_sampling), *self.like.shape[1:2], self.like.ndim, self._seed
        options = tuple(sorted(_options(self.sampler).items()))
        key = (name, function, options, surroundings, self.like.device.type)
        try:
            known = key in _verdicts
        except TypeError:  # an option that cannot be compared
            return find()
        if not known:
            if len(_verdicts) >= KEPT:
                _verdicts.clear()
            _verdicts[key] = find()
        return _verdicts[key]


def finely_spaced(sigmas: Tensor) -> Tensor:
    """As many noise levels as a run has, ending as the run ends, but close together."""
    zero = sigmas[-1:] if float(sigmas[-1]) == 0 else sigmas[:0]
    count = len(sigmas) - len(zero)
    last = sigmas[count - 1]
    rise = torch.minimum(sigmas.max() / last, last.new_tensor(SPACING ** (1 - count)))
    return torch.cat([last * rise ** torch.linspace(1, 0, count).to(last), zero])


def _what_is_shown(x: Tensor) -> tuple[Tensor, Tensor]:
    """A toy that takes any state for the image, so that nothing but moves changes it."""
    return x, x


def _number_by_number(x: Tensor) -> tuple[Tensor, Tensor]:
    """A toy that looks at each number for itself, and whose two predictions differ from row to row."""
    return torch.tanh(x), torch.sin(x)


def _options(sampler: Any) -> dict[str, Any]:
    return getattr(sampler, "extra_options", {})


def _menu_name(sampler: Any) -> str:
    """The name of a SAMPLER in the host's menus, else that of its function or class."""
    name = getattr(getattr(sampler, "sampler_function", None), "__name__", type(sampler).__name__)
    for choice in comfy.samplers.KSampler.SAMPLERS:
        if comfy.samplers.sampler_object(choice).sampler_function.__name__ == name:
            return choice
    return name.removeprefix("sample_")
