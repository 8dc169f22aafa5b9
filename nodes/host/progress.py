"""One progress bar over many images and steps, with the host's latent preview; cancelling works at every step."""

from collections.abc import Callable
from typing import Any

import comfy.model_management
import comfy.utils
import latent_preview
import torch


class ImageProgress:
    """Counts images x steps; `total` is what a whole run comes to."""

    def __init__(self, model: Any, total: int) -> None:
        self.bar = comfy.utils.ProgressBar(max(total, 1))
        self.previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)
        self.done = 0

    def callback(self, images: int) -> Callable:
        """A sampler callback for a batch of this many images."""

        def step_done(step: int, denoised: torch.Tensor, x: torch.Tensor, total_steps: int) -> None:
            comfy.model_management.throw_exception_if_processing_interrupted()
            preview = self.previewer.decode_latent_to_preview_image("JPEG", denoised) if self.previewer else None
            self.done += images
            self.bar.update_absolute(self.done, None, preview)

        return step_done
