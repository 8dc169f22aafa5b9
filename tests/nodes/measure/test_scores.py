"""Scorers and curves as nodes, on the pocket model and on a tiny CLIP in ComfyUI's clip_vision folder."""

from __future__ import annotations

import csv
import io
import json
import sys

import folder_paths
import open_clip
import pytest
import torch
from safetensors.torch import save_file

import nodes
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.files.hrv_files import HRVLoad
from comfyui_hrv.nodes.host.clip import DOWNLOAD, NOTHING, clip_scorer, weight_files
from comfyui_hrv.nodes.measure.clip_scorer import HRVCLIPScorer
from comfyui_hrv.nodes.measure.editing_prompts import HRVEditingPrompts
from comfyui_hrv.nodes.measure.pocket_scorer import HRVPocketScorer
from comfyui_hrv.nodes.measure.score_images import HRVScoreImages
from comfyui_hrv.nodes.measure.weaken_curve import HRVWeakenCurve
from comfyui_hrv.nodes.measure.weakening_prompts import HRVWeakeningPrompts
from comfyui_hrv.nodes.pocket_model import HRVPocketModel
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.see.weaken_sweep import HRVWeakenSweep

pytestmark = pytest.mark.usefixtures("inference_mode")
SAMPLER = (8, 3.0, "ddim", "ddim_uniform")
TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def pocket():
    """MODEL, CLIP, VAE, vectors and scorer that ship with the pack."""
    with torch.inference_mode():
        hrv = HRVLoad.execute("preset: pocket.safetensors").args[0]
        return *HRVPocketModel.execute("squares").args[:3], hrv, HRVPocketScorer.execute().args[0]


def sweep(pocket, text: str, heads: str = "0, 112", orders: str = "MoRHF, LeRHF", seed: int = 1) -> tuple:
    model, clip, vae, hrv, _ = pocket
    (positive,), (negative,) = HRVPrompt.execute(clip, text).args, nodes.CLIPTextEncode().encode(clip, "")
    latent = nodes.EmptyLatentImage().generate(32, 32, 1)[0]
    settings = ("Color", heads, orders, "-2", seed, *SAMPLER, 8)
    return HRVWeakenSweep.execute(model, positive, negative, vae, latent, hrv, *settings).args


def rows_of(table: str) -> list[dict]:
    return [json.loads(line) for line in table.splitlines()]


def test_a_drawn_red_star_scores_higher_for_its_own_words_than_for_others(pocket):
    model, clip, vae, _, scorer = pocket
    encode = nodes.CLIPTextEncode().encode
    latent = nodes.EmptyLatentImage().generate(32, 32, 4)[0]
    positive, (negative,) = encode(clip, "a red star")[0], encode(clip, "")
    (drawn,) = nodes.KSampler().sample(model, 1, *SAMPLER, positive, negative, latent)
    (images,) = nodes.VAEDecode().decode(vae, drawn)
    mean = {word: HRVScoreImages.execute(images, scorer, word).args[1] for word in ("red", "blue", "star", "circle")}
    assert mean["red"] > 0.8 > 0.2 > mean["blue"] and mean["star"] > mean["circle"] + 0.3


def test_scores_join_the_lines_of_the_sweep_in_their_order(pocket):
    _, images, table = sweep(pocket, "a red star")
    scored, mean = HRVScoreImages.execute(images, pocket[4], "red", table).args
    before, after = rows_of(table), rows_of(scored)
    assert [{key: row[key] for key in before[0]} for row in after] == before
    assert {row["word"] for row in after} == {"red"} and {row["scorer"] for row in after} == {"probability of the word"}
    alone = [row["score"] for row in rows_of(HRVScoreImages.execute(images, pocket[4], "red").args[0])]
    assert [row["score"] for row in after] == alone == pytest.approx([alone[0], alone[1], alone[0], alone[1]], abs=1e-3)
    assert mean == pytest.approx(sum(alone) / 4)


@pytest.mark.parametrize(
    "images, word, table, quoted",
    [
        (3, "red", '{"heads": 0}\n{"heads": 4}', "3 images but 2 lines"),
        (1, "crimson", "", '"crimson".*It reads: '),
        (1, "", "", 'cannot read ""'),
        (1, "red", "order,heads", '"order,heads" is no line'),
    ],
)
def test_scores_that_cannot_be_given_are_refused_with_the_fix(pocket, images, word, table, quoted):
    with pytest.raises(HRVError, match=quoted):
        HRVScoreImages.execute(torch.rand(images, 32, 32, 3), pocket[4], word, table)


def test_tables_of_several_prompts_become_one_curve(pocket):
    text, word, seed, concept = HRVWeakeningPrompts.execute("pocket_weakening: Color", 3, "1").args
    tables = []
    for prompt, wanted, number in zip(text, word, seed, strict=True):
        _, images, table = sweep(pocket, prompt, "0, 12, 112", seed=number)
        tables.append(HRVScoreImages.execute(images, pocket[4], wanted, table).args[0])
    image, areas, curve = HRVWeakenCurve.execute(tables, [""], [0.95]).args
    lines = list(csv.DictReader(io.StringIO(curve)))
    assert [(line["order"], line["heads"]) for line in lines] == [
        (order, k) for order in ("MoRHF", "LeRHF") for k in ("0", "12", "112")
    ]
    every = [row for table in tables for row in rows_of(table)]
    for line in lines:
        here = [row["score"] for row in every if (row["order"], str(row["heads"])) == (line["order"], line["heads"])]
        assert float(line["score"]) == pytest.approx(sum(here) / 3, abs=1e-5) and len(here) == 3
        assert float(line["low"]) <= float(line["score"]) <= float(line["high"])
    assert concept == "Color" and "3 prompts, H = 112" in areas and "area LeRHF - MoRHF" in areas
    assert image.shape[0] == 1 and image.shape[-1] == 3 and image.std() > 0.05


def test_the_title_is_the_concept_unless_another_is_given(pocket):
    _, images, table = sweep(pocket, "a red star")
    scored = [HRVScoreImages.execute(images, pocket[4], "red", table).args[0]]
    named, same, other = (HRVWeakenCurve.execute(scored, [title], [0.95]).args[0] for title in ("", "Color", "Hue"))
    assert torch.equal(named, same) and not torch.equal(named, other)


@pytest.mark.parametrize("table, quoted", [("", "table is empty"), ('{"order": "MoRHF"}', "HRV Score Images")])
def test_a_curve_without_scores_is_refused_with_what_to_connect(table, quoted):
    with pytest.raises(HRVError, match=quoted):
        HRVWeakenCurve.execute([table], [""], [0.95])


def test_every_prompt_comes_with_every_seed():
    text, word, seed, concept = HRVWeakeningPrompts.execute("ordered_weakening: Weather Conditions", 4, "").args
    assert seed == [10, 20, 30] * 4 and len(set(zip(text, seed, strict=True))) == 12 and concept == "Weather Conditions"
    assert set(word) == {"snowy", "rainy", "foggy", "stormy"}
    assert all(f"on a {wanted} day" in prompt for prompt, wanted in zip(text, word, strict=True))


@pytest.mark.parametrize(
    "experiment, seeds, quoted",
    [("ordered_weakening: Colour", "", 'Nearest: "ordered_weakening: Color"'), ("pocket_weakening: Color", "x", '"x"')],
)
def test_unknown_experiments_and_seeds_are_refused_with_the_fix(experiment, seeds, quoted):
    with pytest.raises(HRVError, match=quoted):
        HRVWeakeningPrompts.execute(experiment, 0, seeds)


def test_pairs_of_an_editing_target_differ_in_one_word_and_begin_again_after_the_last():
    for target in ("editing: Color", "drawings_editing: Image Style", "pocket_editing: Weather"):
        seen = [HRVEditingPrompts.execute(target, pair).args for pair in range(200)]
        count = len(set(seen))
        assert 20 <= count < 200 and seen[count:] == seen[: 200 - count]
        for source, edited, concept, before, after in seen:
            assert target.endswith(concept) and before != after
            assert edited == source.replace(before, after, 1) and source != edited
    assert HRVEditingPrompts.execute("editing: Color", 30).args[:3] == ("a blue car", "a red car", "Color")


def test_an_unknown_editing_target_is_refused_with_the_nearest():
    with pytest.raises(HRVError, match='"editing: Colour".*Nearest: "editing: Color".*Legal: editing: Color, editing'):
        HRVEditingPrompts.execute("editing: Colour", 0)


@pytest.fixture
def clip_folder(tmp_path, monkeypatch):
    """ComfyUI's clip_vision folder, empty."""
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "clip_vision", ([str(tmp_path)], {".safetensors"}))
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    return tmp_path


def test_without_weights_the_default_says_where_to_put_them_and_fetches_nothing(clip_folder):
    assert weight_files() == [NOTHING, DOWNLOAD]
    schema = HRVCLIPScorer.define_schema()
    assert schema.inputs[0].default == NOTHING
    with pytest.raises(HRVError, match="models/clip_vision"):
        HRVCLIPScorer.execute(NOTHING, "ViT-H-14")


def test_without_openclip_the_user_is_told_what_to_install(clip_folder, monkeypatch):
    (clip_folder / "weights.safetensors").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "open_clip", None)
    for file in ("weights.safetensors", DOWNLOAD):
        with pytest.raises(HRVError, match='needs the Python package open-clip-torch.*"eval" extra.*pip install'):
            HRVCLIPScorer.execute(file, "ViT-H-14")


def test_weights_in_the_folder_score_images_through_the_nodes(clip_folder):
    (clip_folder / "hrv-node-tiny.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(clip_folder / "hrv-node-tiny.json")
    model = open_clip.create_model("hrv-node-tiny").eval()
    save_file(model.state_dict(), clip_folder / "tiny.safetensors")
    assert weight_files() == ["tiny.safetensors", DOWNLOAD]
    (scorer,) = HRVCLIPScorer.execute("tiny.safetensors", "hrv-node-tiny").args
    images = torch.rand(3, 32, 32, 3)
    rows = rows_of(HRVScoreImages.execute(images, scorer, "red").args[0])
    mean, std = (torch.tensor(value)[:, None, None] for value in (model.visual.image_mean, model.visual.image_std))
    pixels = ((images * 255).round() / 255).movedim(-1, 1)  # already in the model's size: nothing is resized
    seen = model.encode_image((pixels - mean) / std, normalize=True)
    word = model.encode_text(open_clip.get_tokenizer("hrv-node-tiny")(["red"]), normalize=True)
    assert [row["score"] for row in rows] == pytest.approx((seen @ word.T)[:, 0].tolist(), abs=1e-4)
    with pytest.raises(HRVError, match='no file "tinny.safetensors".*"tiny.safetensors"'):
        clip_scorer("tinny.safetensors", "hrv-node-tiny")
