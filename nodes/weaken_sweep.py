"""HRV Weaken Sweep: one prompt and seed, weakened head by head in several orders, as one sheet (section 4)."""

import json

import comfy.samplers
import numpy as np
from comfy_api.latest import io, ui

from ..hrv_engine.sheets import sheet
from ..hrv_engine.weakening import parse_grid, parse_orders, weaken
from .host.sweep import Sampling, sweep
from .host.unet import layout_of, model_family
from .pictures import to_image, to_pixels
from .types import CATEGORY, HRV


class HRVWeakenSweep(io.ComfyNode):
    """A grid of k weakened heads by order, from one seed."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        samplers, schedulers = comfy.samplers.KSampler.SAMPLERS, comfy.samplers.KSampler.SCHEDULERS
        return io.Schema(
            node_id="HRVWeakenSweep",
            display_name="HRV Weaken Sweep",
            category=f"{CATEGORY}/see",
            description=(
                "Draws one prompt and seed again and again while more and more heads are weakened, in MoRHF, LeRHF or"
                " random order: when does the concept go?"
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
                io.Vae.Input("vae", tooltip="Decodes the pictures."),
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
                        "One row each: MoRHF (most relevant first), LeRHF (least relevant first), random:0, random:1,"
                        " ... (the control)."
                    ),
                ),
                io.Float.Input(
                    "factor",
                    default=-2.0,
                    min=-10.0,
                    max=10.0,
                    step=0.1,
                    tooltip="What the weakened heads' maps are multiplied by: -2 in the paper.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=io.ControlAfterGenerate.fixed,
                    tooltip="The noise of every picture of the sheet.",
                ),
                io.Int.Input(
                    "steps", default=50, min=1, max=1000, tooltip="Sampling steps per picture; 50 in the paper."
                ),
                io.Float.Input(
                    "cfg", default=7.5, min=0.0, max=100.0, step=0.1, tooltip="Guidance scale; 7.5 in the paper."
                ),
                io.Combo.Input(
                    "sampler_name",
                    options=samplers,
                    default="ddim",
                    tooltip=(
                        "Deterministic samplers draw several pictures at once; samplers that add noise draw one at a"
                        " time, so that all get the same noise."
                    ),
                ),
                io.Combo.Input("scheduler", options=schedulers, default="ddim_uniform", tooltip="The noise schedule."),
                io.Int.Input(
                    "batch_size",
                    default=4,
                    min=1,
                    max=256,
                    tooltip="Pictures drawn at once. Does not change them, only speed and memory.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="sheet", tooltip="All pictures with labels; connect it to Preview Image."),
                io.Image.Output(display_name="images", tooltip="The pictures as a batch, row by row."),
                io.String.Output(
                    display_name="table", tooltip="One JSON object a picture: order, heads, factor, seed."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        model,
        positive,
        negative,
        vae,
        latent_image,
        hrv,
        concept,
        heads,
        orders,
        factor,
        seed,
        steps,
        cfg,
        sampler_name,
        scheduler,
        batch_size,
    ) -> io.NodeOutput:
        relevance = hrv.for_layout(layout_of(model), model_family(model))
        columns, rows = parse_grid(heads, relevance.layout.total), parse_orders(orders)
        factors = np.stack(
            [weaken(relevance, concept, order, k, factor, number) for order, number in rows for k in columns]
        )
        settings = Sampling(seed, steps, cfg, sampler_name, scheduler)
        latents = sweep(
            model, positive, negative, latent_image, lambda table: table.columns, factors, settings, batch_size
        )
        images = vae.decode(latents)
        labels = [order if order != "random" else f"random {number}" for order, number in rows]
        drawn = sheet(to_pixels(images), labels, [f"k = {k}" for k in columns])
        table = [{"order": label, "heads": k, "factor": factor, "seed": seed} for label in labels for k in columns]
        text = "\n".join(json.dumps(row) for row in table)
        return io.NodeOutput(to_image(drawn), images, text, ui=ui.PreviewText(text))
