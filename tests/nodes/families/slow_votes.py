"""Algorithm 1 on a transformer, written out: each word run alone, one head and one draw at a time, in float64."""

from __future__ import annotations

from typing import Any

import comfy.samplers
import numpy as np
import torch
from comfy.nested_tensor import NestedTensor
from comfy.patcher_extension import WrappersMP

from comfyui_hrv.hrv_engine.relevance.voting import PER_HEAD, WordSampler

from .explicit import Explicit, halves
from .tiny_models import Tiny

COLUMNS = (1, 2)


class Heard(Explicit):
    """Notes queries of the image and keys of the prompt at every site, for the rows of one context."""

    def __init__(self, tiny: Tiny, context: torch.Tensor) -> None:
        super().__init__(tiny, context, (), torch.zeros(0))
        self.queries: list[torch.Tensor] = []
        self.keys: list[torch.Tensor] = []
        self.before = 0  # how many keys in front of the prompt's are heard too

    def of(self, context: torch.Tensor, module: Any) -> None:
        """Listen for another context from now on."""
        self.context = context
        self.own = self.tiny.prepared(module, context)[:, : context.shape[1]]
        self.queries, self.keys = [], []

    def attend(self, function: Any, query: Any, key: Any, value: Any, heads: int, *more: Any, **named: Any) -> Any:
        split = named.get("skip_reshape", False)
        queries, keys = (tensor.shape[2 if split else 1] for tensor in (query, key))
        if self.rows and self.is_site(queries, keys):
            asked, looked = (part.double() if split else halves(part, heads) for part in (query, key))
            looked = looked.repeat_interleave(asked.shape[1] // looked.shape[1], 1)
            start, image = self.places()
            rows = self.rows if len(asked) > 1 else [0]
            self.queries.append(asked[rows][:, :, image])
            self.keys.append(looked[rows][:, :, start - self.before :])
        return function(query, key, value, heads, *more, **named)


class Count:
    """The votes int64 [concepts heads] of Algorithm 1; numbers: of the words of each concept."""

    def __init__(self, sampler: WordSampler, numbers: list[list[int]], heads: list[int]) -> None:
        self.sampler, self.numbers, self.heads = sampler, numbers, heads
        self.votes: np.ndarray = np.zeros((len(numbers), sum(heads)), np.int64)
        self.calls: dict[int, int] = {}  # so far, of every image

    def __call__(self, image: int, keys: list[list[torch.Tensor]], queries: list[torch.Tensor]) -> None:
        """Let an image vote in its next model call: keys [heads tokens dim] by word and site, queries by site."""
        assert len(queries) == len(self.heads)
        sampler, heads, call = self.sampler, self.heads, self.calls.setdefault(image, 0)
        self.calls[image] += 1
        drawn = sampler._words([image], call, sampler._voters(heads))[0]  # [draws voters concepts]
        for draw in range(sampler.draws):
            for site, query in enumerate(queries):
                for head in range(heads[site]):
                    own = sum(heads[:site]) + head
                    voter = own if sampler.sampling == PER_HEAD else site
                    chosen = [self.numbers[concept][word] for concept, word in enumerate(drawn[draw, voter])]
                    every = torch.cat([keys[word][site][head] for word in chosen])
                    share = torch.softmax(query[head] @ every.T / query.shape[-1] ** 0.5, dim=-1).mean(dim=0)
                    scores = share.unflatten(0, (len(chosen), -1)).mean(dim=1)
                    self.votes[int(scores.argmax()), own] += 1


def slow_votes(
    tiny: Tiny, model: Any, prompt: torch.Tensor, negative: torch.Tensor, words: list[torch.Tensor], count: Count,
    batch: int, steps: int,
) -> None:  # fmt: skip
    """Count the votes of a run; words: the context of each, whose tokens are at COLUMNS."""
    module = model.model.diffusion_model
    heard = Heard(tiny, prompt)

    def predict(executor: Any, x: Any, timestep: Any, options: Any, seed: Any = None) -> Any:
        guider = executor.class_obj
        keys: list[list[list[torch.Tensor]]] = []
        for image in range(batch):
            keys.append([])
            for number, word in enumerate(words):
                heard.of(word, module)
                (cond,) = guider.conds[f"word {number}"]
                rows = slice(image, image + 1)
                comfy.samplers.calc_cond_batch(guider.inner_model, [[cond]], x[rows], timestep[rows], options)
                keys[-1].append([site[0][:, list(COLUMNS)] for site in heard.keys])
        heard.of(prompt, module)
        predicted = executor(x, timestep, options, seed)
        for image in range(batch):
            count(image, keys[image], [site[image] for site in heard.queries])
        return predicted

    listening = heard.on(model)
    listening.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "slow", predict)
    guider = comfy.samplers.CFGGuider(listening)
    conds = {"positive": tiny.conditioning(prompt), "negative": tiny.conditioning(negative)}
    conds |= {f"word {number}": tiny.conditioning(word) for number, word in enumerate(words)}
    guider.inner_set_conds(conds)
    guider.set_cfg(4.0)
    sampling = comfy.samplers.KSampler(model, steps, model.load_device, "euler", "simple")
    generator = torch.Generator().manual_seed(5)
    shapes = [shape for shape in (tiny.latent, tiny.sound) if shape]
    noise: Any = [torch.randn(batch, *shape, generator=generator) for shape in shapes]
    latent: Any = [torch.zeros_like(part) for part in noise]
    noise, latent = (NestedTensor(parts) if tiny.sound else parts[0] for parts in (noise, latent))
    guider.sample(noise, latent, comfy.samplers.sampler_object("euler"), sampling.sigmas, disable_pbar=True, seed=5)
