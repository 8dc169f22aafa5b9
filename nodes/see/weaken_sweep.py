"""HRV Weaken Sweep: one prompt and seed, weakened head by head in several orders, as one sheet (section 4)."""

import json
from itertools import product

import numpy as np
from comfy_api.latest import io

import nodes as core

from ...hrv_engine.figures.sheets import sheet
from ...hrv_engine.weakening.orders import order_label, parse_factors, parse_grid, parse_orders, weaken
from ..host.conditioning import table_of
from ..host.node_pictures import pictured
from ..host.sweep import Sampling, sweep
from ..host.unet import layout_of, model_family
from ..images import to_image, to_pixels
from ..types import CATEGORY, HRV, sampler_inputs


class HRVWeakenSweep(io.ComfyNode):
    """A grid of k weakened heads by order, from one seed."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVWeakenSweep",
            display_name="HRV Weaken Sweep",
            category=f"{CATEGORY}/see",
            is_output_node=True,
            has_intermediate_output=True,
            description=(
                "Draws one prompt and seed again and again while more and more heads are weakened, in MoRHF, LeRHF or"
                " random order: when does the concept disappear?"
            ),
            search_aliases=[
                "hrv",
                "ordered weakening",
                "MoRHF",
                "LeRHF",
                "grid",
                "xy plot",
                "ablate heads",
                "interpretability",
            ],
            inputs=[
                io.Model.Input("model", tooltip="The model to look into. This node samples by itself."),
                io.Conditioning.Input("positive", tooltip="The prompt, encoded by HRV Prompt."),
                io.Conditioning.Input("negative", tooltip="The negative prompt; an empty one in the paper."),
                io.Vae.Input("vae", tooltip="Decodes the images."),
                io.Latent.Input("latent_image", tooltip="An empty latent of one image in the size to draw."),
                HRV.Input(
                    "hrv", tooltip="Head Relevance Vectors built for this kind of model (HRV Load or HRV Build)."
                ),
                io.String.Input("concept", default="Color", tooltip="The concept whose order of heads is used."),
                io.String.Input(
                    "heads",
                    default="0, 1, 11, 21, 31, 41",
                    tooltip=(
                        "How many heads to weaken, separated by commas: one column each. `paper`: the paper's grid for"
                        " this model (15 columns for SD1.x)."
                    ),
                ),
                io.String.Input(
                    "orders",
                    default="MoRHF, LeRHF",
                    tooltip=(
                        "One row each: MoRHF (most relevant first), LeRHF (least relevant first), random:1, random:2,"
                        " ... and random:1:reversed, ... (the control)."
                    ),
                ),
                io.String.Input(
                    "factors",
                    default="-2",
                    tooltip=(
                        "What the weakened heads' maps are multiplied by: -2 in the paper. Several, separated by"
                        " commas, make one row each for every order."
                    ),
                ),
                *sampler_inputs(),
                io.Int.Input(
                    "batch_size",
                    default=4,
                    min=1,
                    max=256,
                    tooltip="Images drawn at once. Does not change them, only speed and memory.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="sheet",
                    tooltip="All images with labels; connect it to Preview Image.",
                ),
                io.Image.Output(display_name="images", tooltip="The images as a batch, row by row."),
                io.String.Output(
                    display_name="table",
                    tooltip="One JSON object per image: order, heads, factor, seed, prompt. For HRV Score Images.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, model, positive, negative, vae, latent_image, hrv, concept, heads, orders, factors, seed, steps, cfg,
        sampler_name, scheduler, batch_size,
    ) -> io.NodeOutput:  # fmt: skip
        relevance = hrv.for_layout(layout_of(model), model_family(model))
        total, prompt = relevance.layout.total, table_of(positive).prompt
        columns, lines = parse_grid(heads, total), list(product(parse_orders(orders), parse_factors(factors)))
        wanted = [weaken(relevance, concept, order[0], k, factor, order[1]) for order, factor in lines for k in columns]
        settings = Sampling(seed, steps, cfg, sampler_name, scheduler)
        latents = sweep(
            model, positive, negative, latent_image, lambda table: table.columns, np.stack(wanted), settings, batch_size
        )
        (images,) = core.VAEDecode().decode(vae, {"samples": latents})
        frames = len(images) // len(wanted)
        several = len({factor for _, factor in lines}) > 1
        names = [order_label(*order) + f" x {factor:g}" * several for order, factor in lines]
        drawn = sheet(to_pixels(images[frames // 2 :: frames]), names, [f"k = {k}" for k in columns])
        about = {"seed": seed, "concept": concept, "prompt": prompt, "total": total}
        apart = [{"frame": number} for number in range(frames)] if frames > 1 else [{}]
        table = [
            {"order": order_label(*order), "heads": k, "factor": factor, **about, **frame}
            for order, factor in lines
            for k in columns
            for frame in apart
        ]
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in table)
        picture = to_image(drawn)
        return io.NodeOutput(picture, images, text, ui=pictured(picture))
