"""HeadLayout: discovery in module trees, order, numbering, and what it says about itself."""

import pytest
from torch import nn

from comfyui_hrv.nodes.host.families.unet_layers import cross_attentions, head_layout
from comfyui_hrv.tests.engine.examples import sd1_layout, sdxl_layout, small_layout
from hrv_engine.attention.heads import AttentionSite, HeadLayout
from hrv_engine.errors import HRVError


class Attention(nn.Module):
    def __init__(self, heads: int, dim_head: int):
        super().__init__()
        self.heads, self.dim_head = heads, dim_head


class Block(nn.Module):
    def __init__(self, heads: int, dim_head: int, cross: bool = True):
        super().__init__()
        self.attn1 = Attention(heads, dim_head)
        self.attn2 = Attention(heads, dim_head) if cross else None


class Transformer(nn.Module):
    def __init__(self, *blocks: Block):
        super().__init__()
        self.transformer_blocks = nn.ModuleList(blocks)


class UNet(nn.Module):
    """The shape of an ldm UNet: convolutions and transformers inside input, middle and output blocks."""

    def __init__(self, middle: bool = True):
        super().__init__()
        # registered output first: the order must come from execution, not from registration
        self.output_blocks = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(1, 1, 1)),
                nn.Sequential(nn.Conv2d(1, 1, 1), Transformer(Block(2, 16), Block(2, 16))),
            ]
        )
        self.input_blocks = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(1, 1, 1)),
                nn.Sequential(nn.Conv2d(1, 1, 1), Transformer(Block(4, 8), Block(4, 8, cross=False), Block(4, 8))),
            ]
        )
        self.middle_block = nn.Sequential(nn.Conv2d(1, 1, 1), Transformer(Block(3, 5))) if middle else None


def test_a_layout_lists_cross_attention_down_mid_up_in_execution_order_with_the_keys_of_the_host():
    assert head_layout(UNet()).sites == (
        AttentionSite(("input", 1, 0), 4, 8),
        AttentionSite(("input", 1, 2), 4, 8),  # depth 1 has self-attention only
        AttentionSite(("middle", 0, 0), 3, 5),
        AttentionSite(("output", 1, 0), 2, 16),
        AttentionSite(("output", 1, 1), 2, 16),
    )


def test_a_unet_without_middle_block_keeps_its_other_layers():
    assert [site.key[0] for site in head_layout(UNet(middle=False)).sites] == ["input", "input", "output", "output"]


def test_the_walk_yields_the_attention_modules_themselves():
    unet = UNet()
    found = dict(cross_attentions(unet))
    assert found["middle", 0, 0] is unet.middle_block[1].transformer_blocks[0].attn2
    assert found["output", 1, 1] is unet.output_blocks[1][1].transformer_blocks[1].attn2


@pytest.mark.parametrize("model", [nn.Sequential(nn.Linear(1, 1)), UNet().requires_grad_(False).input_blocks[0]])
def test_a_model_without_unet_cross_attention_is_refused_and_told_what_works(model):
    with pytest.raises(HRVError) as error:
        head_layout(model)
    assert all(part in str(error.value) for part in ("Sequential", "Flux", "SD3", "SDXL", "load"))


def test_a_unet_shaped_model_whose_blocks_have_no_transformer_is_refused_too():
    unet = UNet(middle=False)
    unet.input_blocks, unet.output_blocks = nn.ModuleList([nn.Sequential(nn.Conv2d(1, 1, 1))]), nn.ModuleList()
    with pytest.raises(HRVError, match="attention of UNet"):
        head_layout(unet)


def test_sd1_has_128_heads_and_sdxl_1300_with_the_offsets_of_the_published_vectors():
    sd1, sdxl = sd1_layout(), sdxl_layout()
    assert (len(sd1.sites), sd1.total, sd1.summary) == (16, 128, "16 layers, 128 heads")
    assert (len(sdxl.sites), sdxl.total, sdxl.summary) == (70, 1300, "70 layers, 1300 heads")
    assert [sd1.offset((name, i, 0)) for name, i in (("input", 1), ("middle", 0), ("output", 11))] == [0, 48, 120]
    bases = {
        ("input", 5, 0): 20,
        ("input", 7, 9): 220,
        ("middle", 0, 0): 440,
        ("output", 1, 4): 920,
        ("output", 5, 1): 1290,
    }
    assert {block: sdxl.offset(block) for block in bases} == bases


def test_head_ranges_tile_all_heads_without_gap_or_overlap():
    for layout in (sd1_layout(), sdxl_layout(), small_layout()):
        covered = [index for site in layout.sites for index in range(layout.total)[layout.head_range(site.key)]]
        assert covered == list(range(layout.total))


@pytest.mark.parametrize(
    "layout, index, place, label",
    [
        (sd1_layout(), 0, (1, 0), "L1/h0 (input 1.0)"),
        (sd1_layout(), 120, (16, 0), "L16/h0 (output 11.0)"),
        (sd1_layout(), 98, (13, 2), "L13/h2 (output 8.0)"),
        (sdxl_layout(), 926, (49, 6), "L49/h6 (output 1.4)"),
        (sdxl_layout(), 1299, (70, 9), "L70/h9 (output 5.1)"),
    ],
)
def test_heads_are_named_by_layer_from_one_and_head_from_zero_as_in_the_papers_figures(layout, index, place, label):
    assert layout.locate(index) == place
    assert layout.label(index) == label


@pytest.mark.parametrize("index", [-1, 8])
def test_a_head_outside_the_layout_is_refused_with_the_legal_range(index):
    with pytest.raises(HRVError, match=f"Head {index} .* 0 to 7"):
        small_layout().locate(index)


def test_an_unknown_block_has_no_offset():
    with pytest.raises(KeyError):
        small_layout().offset(("input", 9, 0))


def test_a_layout_survives_json_and_its_digest_tells_layouts_apart():
    for layout in (sd1_layout(), sdxl_layout(), small_layout()):
        assert HeadLayout.from_json(layout.to_json()) == layout
    rows = small_layout().to_json()
    other = [[*rows[0][:3], rows[0][3] + 1, rows[0][4]], *rows[1:]]
    digests = {HeadLayout.from_json(each).digest for each in (rows, other, rows[::-1], rows[:-1])}
    assert small_layout().digest in digests and len(digests) == 4


@pytest.mark.parametrize(
    "rows", [[["input", 1]], [["input", "one", 0, 8, 40]], [None], "nonsense", 5, [["input", 1, 0, 8, None]]]
)
def test_malformed_rows_are_refused_and_quoted(rows):
    with pytest.raises(HRVError) as error:
        HeadLayout.from_json(rows)
    assert str(rows)[:20] in str(error.value)
    assert "[block, id, depth, heads, head_dim]" in str(error.value)
