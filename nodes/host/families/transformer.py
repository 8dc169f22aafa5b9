"""What the families of transformers have in common; a family says what is different, in a few lines."""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from torch import Tensor

from ....hrv_engine.attention.heads import HeadLayout, SiteKey
from ....hrv_engine.errors import HRVError
from ..calls import ModelCall
from ._lent_options import lent
from ._override import OVERRIDE, overridden
from ._unreachable import class_names
from .layers import Layer, Segments, in_a_row


class Transformer(ABC):
    """A family of transformers.

    classes: full names of the host's diffusion model classes; classes derived from them belong to the family too.
    optionless: the host's modules whose attention gets no options, see `lent`.
    """

    name = ""
    needs_sound = False
    batches = True
    classes: tuple[str, ...] = ()
    optionless: tuple[str, ...] = ()

    @abstractmethod
    def layers(self, module: Any) -> Iterator[Layer]:
        """The layers whose attention has the prompt among its keys, in execution order."""

    @abstractmethod
    def patch(self, module: Any) -> Sequence[int]:
        """How many latent pixels a token has, per axis: (frames,) height, width."""

    def segments(self, call: ModelCall, layer: Layer, queries: int, keys: int, options: dict[str, Any]) -> Segments:
        """Where image and prompt are in an attention call of so many queries and keys; all of it by default."""
        return Segments()

    def refuses_references(self, module: Any) -> str:
        """Why the strength of a reference image cannot be set here, a sentence; empty for models where it can."""
        return "Its attention between prompt and image has no rows of reference images."

    def recognises(self, module: Any) -> bool:
        return not class_names(module).isdisjoint(self.classes)

    def sites(self, module: Any) -> HeadLayout:
        return HeadLayout(tuple(layer.site for layer in self.layers(module)))

    def downsampling(self, module: Any) -> Mapping[SiteKey, int]:
        return {layer.site.key: int(self.patch(module)[-1]) for layer in self.layers(module)}

    def token_columns(self, length: int, tokens: int, columns: Collection[int]) -> list[int]:
        return [column for column in columns if column < length]

    def image_grid(self, module: Any, pixels: int, latent: Sequence[int]) -> tuple[int, int, int]:
        sizes, patch = list(latent[2:]), list(self.patch(module))
        sizes, patch = [1] * (3 - len(sizes)) + sizes, [1] * (3 - len(patch)) + patch
        frames, height, width = (-(-size // part) for size, part in zip(sizes, patch, strict=True))
        return frames, height, width

    def words_need_runs(self, module: Any) -> bool:
        return True

    def words_ride(self, module: Any) -> bool:
        return False

    def text_layers(self, module: Any) -> Sequence[Any]:
        """Modules whose first attention is that of the text among itself, where words ride."""
        return ()

    def project_words(self, module: Any, site: SiteKey, embeddings: Tensor) -> Tensor:
        raise self._only_in_runs()

    def _only_in_runs(self) -> HRVError:
        return HRVError(
            f"In {self.name} a concept word has keys only in a run of the model with the word as its prompt: what comes"
            " to the layers depends on the image and on layers before them. HRV Build runs words so."
        )

    def key_weights(self, module: Any) -> Iterator[tuple[SiteKey, Tensor]]:
        for layer in self.layers(module):
            yield layer.site.key, layer.weight

    @contextmanager
    def around(self, call: ModelCall) -> Iterator[dict[str, Any]]:
        layers = call.run.made(("layers", id(call.module)), lambda: list(self.layers(call.module)))

        def where(layer: Layer, queries: int, keys: int, options: dict[str, Any]) -> Segments:
            return self.segments(call, layer, queries, keys, options)

        theirs = None if self.optionless else call.options.get(OVERRIDE)  # which such models would not ask either
        with overridden(call, layers, where, theirs) as options, lent(options, self.optionless), self.riding(call):
            yield options

    def riding(self, call: ModelCall) -> AbstractContextManager[Any]:
        """What else is done to the model while concept words ride in a call."""
        return nullcontext()

    def pixels(self, call: ModelCall) -> int:
        """How many tokens the image has."""
        return math.prod(self.image_grid(call.module, 0, call.latent))

    def counted_references(self, call: ModelCall) -> list[int]:
        """How many tokens each reference latent of a call has, for models that do not say it themselves."""
        latents = call.inputs.get("ref_latents") or ()
        return [math.prod(self.image_grid(call.module, 0, latent.shape)) for latent in latents]

    def text(self, call: ModelCall) -> int:
        """How many tokens the prompt has in this call."""
        return 0 if call.context is None else int(call.context.shape[1])


def repeated(length: int, tokens: int, columns: Collection[int]) -> list[int]:
    """Token columns of families whose context is repeated beside a longer one: j is also j + T, j + 2T."""
    every = (column + copy * tokens for copy in range(max(1, length // tokens)) for column in columns)
    return [column for column in every if column < length]


class CrossTransformer(Transformer):
    """A family whose prompt comes in through cross-attention: `words` gives keys of embeddings at a layer.

    One that has no `words` gets its keys from runs of the model, as joint families do.
    """

    def words_need_runs(self, module: Any) -> bool:
        return type(self).words is CrossTransformer.words

    def refuses_references(self, module: Any) -> str:
        return (
            "It attends to its prompt apart from everything else; a reference image, where it takes one, is among the"
            " image's own channels or frames, where HRV nodes do not act."
        )

    def words(self, attention: Any, embeddings: Tensor) -> Tensor:
        """Keys [1 tokens heads*dim] of embeddings [1 tokens channels] in the attention module of a layer."""
        raise self._only_in_runs()

    def embedded(self, module: Any, embeddings: Tensor) -> Tensor:
        """What a text encoder's embeddings [1 tokens channels] become before they come to the layers."""
        return embeddings

    def project_words(self, module: Any, site: SiteKey, embeddings: Tensor) -> Tensor:
        if self.words_need_runs(module):
            return super().project_words(module, site, embeddings)
        attention = next(layer.module for layer in self.layers(module) if layer.site.key == site)
        return self.words(attention, self.embedded(module, embeddings[None]))[0]


class JointTransformer(Transformer):
    """A family of one attention over [registers, prompt, image, references]; families with another order say so."""

    def first(self, module: Any) -> int:
        """How many registers there are."""
        return 0

    def references(self, call: ModelCall, options: dict[str, Any]) -> Sequence[int]:
        """How many tokens each reference image has, in the order the model joins them: by default as it counted."""
        return options.get("reference_image_num_tokens", ())

    def segments(self, call: ModelCall, layer: Layer, queries: int, keys: int, options: dict[str, Any]) -> Segments:
        first, pixels = self.first(call.module), self.pixels(call)
        text, references = first + self.text(call), self.references(call, options)
        image = slice(text, text + pixels)
        self.check(call, queries, image.stop + sum(references))
        return Segments(image, slice(first, text), in_a_row(image.stop, references))

    def check(self, call: ModelCall, tokens: int, expected: int) -> None:
        """Raise HRVError where an attention call has other tokens than the family knows of."""
        if tokens != expected:
            raise HRVError(
                f"An attention call of {self.name} has {tokens} tokens where its prompt and image make {expected}:"
                " another node adds or merges tokens, so that HRV nodes cannot tell which are the prompt's. Take that"
                " node off this MODEL, or take the HRV node away."
            )


class ImageFirst(JointTransformer):
    """A family of one attention over [image, references, prompt]."""

    def segments(self, call: ModelCall, layer: Layer, queries: int, keys: int, options: dict[str, Any]) -> Segments:
        text, pixels, references = self.text(call), self.pixels(call), self.references(call, options)
        start = pixels + sum(references)
        self.check(call, queries, start + text)
        return Segments(slice(0, pixels), slice(start, start + text), in_a_row(pixels, references))
