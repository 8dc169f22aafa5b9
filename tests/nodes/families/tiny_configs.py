"""Configurations of the host's transformers, as small as they can be."""

from __future__ import annotations

FLUX = {
    "vec_in_dim": None, "context_in_dim": 24, "hidden_size": 64, "mlp_ratio": 2.0, "num_heads": 4, "depth": 2,
    "depth_single_blocks": 2, "axes_dim": [4, 6, 6], "theta": 10000, "patch_size": 2, "qkv_bias": True,
    "txt_ids_dims": [],
}  # fmt: skip
FLUX_1 = FLUX | {
    "image_model": "flux", "in_channels": 16, "out_channels": 16, "guidance_embed": True, "vec_in_dim": 16,
}  # fmt: skip
FLUX_2 = FLUX | {
    "image_model": "flux2", "in_channels": 128, "out_channels": 128, "depth": 1, "axes_dim": [4, 4, 4, 4],
    "theta": 2000, "patch_size": 1, "qkv_bias": False, "guidance_embed": False, "txt_ids_dims": [3],
    "global_modulation": True, "mlp_silu_act": True, "ops_bias": False, "default_ref_method": "index",
}  # fmt: skip
CHROMA = FLUX | {
    "image_model": "chroma", "in_channels": 64, "out_channels": 64, "in_dim": 64, "out_dim": 64, "hidden_dim": 32,
    "n_layers": 1,
}  # fmt: skip
LUMINA = {
    "image_model": "lumina2", "patch_size": 2, "in_channels": 16, "cap_feat_dim": 24, "n_layers": 2,
    "n_refiner_layers": 1, "n_heads": 4, "qk_norm": True, "axes_lens": [64, 64, 64], "ffn_dim_multiplier": 1.0,
    "multiple_of": 16,
}  # fmt: skip
LUMINA_2 = LUMINA | {"dim": 64, "n_kv_heads": 2, "axes_dims": [4, 6, 6]}
Z_IMAGE = LUMINA | {
    "dim": 256, "n_kv_heads": 4, "axes_dims": [16, 24, 24], "rope_theta": 256.0, "z_image_modulation": True,
    "pad_tokens_multiple": 5, "time_scale": 1000.0,
}  # fmt: skip
QWEN = {
    "image_model": "qwen_image", "patch_size": 2, "in_channels": 64, "out_channels": 16, "num_layers": 2,
    "attention_head_dim": 16, "num_attention_heads": 4, "joint_attention_dim": 24, "axes_dims_rope": (4, 6, 6),
}  # fmt: skip
MAGE = {
    "image_model": "mage_flow", "num_layers": 2, "attention_head_dim": 16, "num_attention_heads": 4,
    "joint_attention_dim": 24, "axes_dims_rope": (4, 6, 6),
}  # fmt: skip
SD3 = {
    "in_channels": 16, "input_size": None, "pos_embed_max_size": 16, "num_patches": 256, "patch_size": 2, "depth": 3,
    "adm_in_channels": 16, "qk_norm": "rms", "register_length": 2, "x_block_self_attn_layers": [0],
    "pos_embed_scaling_factor": None,
    "context_embedder_config": {
        "target": "torch.nn.Linear", "params": {"in_features": 24, "out_features": 192}
    },
}  # fmt: skip
WAN = {
    "image_model": "wan2.1", "model_type": "t2v", "patch_size": (1, 2, 2), "in_dim": 16, "dim": 64, "ffn_dim": 96,
    "freq_dim": 32, "text_dim": 24, "out_dim": 16, "num_heads": 4, "num_layers": 2,
}  # fmt: skip
COSMOS = {
    "max_img_h": 16, "max_img_w": 16, "max_frames": 8, "in_channels": 16, "out_channels": 16, "patch_spatial": 2,
    "patch_temporal": 1, "concat_padding_mask": True, "model_channels": 64, "num_blocks": 2, "num_heads": 4,
    "mlp_ratio": 2.0, "crossattn_emb_channels": 24, "pos_emb_cls": "rope3d", "pos_emb_learnable": True,
    "pos_emb_interpolation": "crop", "use_adaln_lora": True, "adaln_lora_dim": 16,
}  # fmt: skip
COSMOS_1 = COSMOS | {
    "image_model": "cosmos", "extra_per_block_abs_pos_emb": True, "extra_per_block_abs_pos_emb_type": "learnable",
    "block_x_format": "THWBD",
}  # fmt: skip
LTX = {
    "image_model": "ltxv", "in_channels": 128, "cross_attention_dim": 64, "attention_head_dim": 16,
    "num_attention_heads": 4, "caption_channels": 24, "num_layers": 2,
}  # fmt: skip
HUNYUAN = {
    "image_model": "hunyuan_video", "in_channels": 16, "out_channels": 16, "vec_in_dim": 16, "context_in_dim": 24,
    "hidden_size": 128, "mlp_ratio": 2.0, "num_heads": 8, "depth": 2, "depth_single_blocks": 2, "axes_dim": [4, 6, 6],
    "theta": 256, "patch_size": [1, 2, 2], "qkv_bias": True, "guidance_embed": False, "byt5": False, "meanflow": False,
    "use_cond_type_embedding": False, "vision_in_dim": None, "meanflow_sum": False,
}  # fmt: skip
HUNYUAN_15 = HUNYUAN | {
    "in_channels": 65, "out_channels": 32, "vec_in_dim": None, "byt5": True, "use_cond_type_embedding": True,
    "vision_in_dim": 20,
}  # fmt: skip
KREA = {
    "image_model": "krea2", "features": 64, "tdim": 32, "txtdim": 32, "heads": 4, "kvheads": 2, "multiplier": 2,
    "layers": 2, "patch": 2, "channels": 16, "txtlayers": 3, "txtheads": 2, "txtkvheads": 2,
}  # fmt: skip
ERNIE = {
    "image_model": "ernie", "hidden_size": 64, "num_attention_heads": 4, "num_layers": 2, "ffn_hidden_size": 96,
    "in_channels": 128, "out_channels": 128, "text_in_dim": 24, "rope_axes_dim": (4, 6, 6),
}  # fmt: skip
AURA = {
    "in_channels": 4, "out_channels": 4, "patch_size": 2, "dim": 64, "n_layers": 2, "n_double_layers": 1,
    "n_heads": 4, "cond_seq_dim": 24, "max_seq": 256,
}  # fmt: skip
PIXART = {
    "image_model": "pixart_sigma", "input_size": 8, "patch_size": 2, "in_channels": 4, "hidden_size": 64, "depth": 2,
    "num_heads": 4, "caption_channels": 24, "model_max_length": 12, "micro_condition": False, "pe_interpolation": 1,
}  # fmt: skip
HYDIT = {
    "image_model": "hydit1", "hidden_size": 64, "depth": 4, "num_heads": 4, "mlp_ratio": 2.0, "text_states_dim": 24,
    "text_states_dim_t5": 32, "text_len": 7, "text_len_t5": 5, "size_cond": False, "use_style_cond": False,
}  # fmt: skip
KANDINSKY = {
    "image_model": "kandinsky5", "in_text_dim": 24, "in_text_dim2": 16, "time_dim": 32, "model_dim": 64, "ff_dim": 96,
    "visual_embed_dim": 64, "num_text_blocks": 1, "num_visual_blocks": 2, "axes_dims": (4, 6, 6),
}  # fmt: skip
IDEOGRAM = {
    "image_model": "ideogram4", "in_channels": 128, "num_layers": 2, "num_attention_heads": 2,
    "attention_head_dim": 32, "intermediate_size": 64, "adaln_dim": 16, "llm_features_dim": 24,
    "mrope_section": (6, 5, 5),
}  # fmt: skip
LENS = {
    "image_model": "lens", "out_channels": 32, "num_layers": 2, "attention_head_dim": 12, "num_attention_heads": 4,
    "enc_hidden_dim": 24, "axes_dims_rope": (4, 4, 4), "multi_layer_encoder_feature": False,
}  # fmt: skip
JOY = {
    "image_model": "joyimage", "hidden_size": 64, "num_attention_heads": 4, "text_dim": 24, "mlp_width_ratio": 2.0,
    "num_layers": 2, "rope_dim_list": [4, 6, 6],
}  # fmt: skip
OMNIGEN = {
    "image_model": "omnigen2", "hidden_size": 64, "num_layers": 2, "num_refiner_layers": 1, "num_attention_heads": 4,
    "num_kv_heads": 2, "multiple_of": 16, "axes_dim_rope": (4, 6, 6), "text_feat_dim": 24,
}  # fmt: skip
BOOGU = {
    "image_model": "boogu", "hidden_size": 64, "num_layers": 1, "num_double_stream_layers": 1, "num_refiner_layers": 1,
    "num_attention_heads": 4, "num_kv_heads": 2, "multiple_of": 16, "axes_dim_rope": (4, 6, 6),
    "instruction_feat_dim": 24,
}  # fmt: skip
COGVIDEO = {
    "image_model": "cogvideox", "num_attention_heads": 4, "attention_head_dim": 16, "time_embed_dim": 32,
    "text_embed_dim": 24, "num_layers": 2, "sample_width": 8, "sample_height": 8, "sample_frames": 5,
    "max_text_seq_length": 12, "use_rotary_positional_embeddings": True,
}  # fmt: skip
PIXELDIT = {
    "image_model": "pixeldit_t2i", "num_groups": 4, "hidden_size": 48, "pixel_hidden_size": 8,
    "pixel_attn_hidden_size": 32, "pixel_num_groups": 2, "patch_depth": 2, "pixel_depth": 1, "patch_size": 4,
    "txt_embed_dim": 24, "txt_max_length": 12,
}  # fmt: skip
MOCHI = {
    "image_model": "mochi_preview", "patch_size": 2, "in_channels": 12, "hidden_size_x": 64, "hidden_size_y": 32,
    "depth": 2, "num_heads": 4, "mlp_ratio_x": 192.0, "mlp_ratio_y": 2.0, "use_t5": True, "t5_feat_dim": 24,
    "t5_token_length": 12, "qk_norm": True, "qkv_bias": False, "learn_sigma": False,
}  # fmt: skip
HIDREAM = {
    "image_model": "hidream", "patch_size": 2, "in_channels": 16, "num_layers": 1, "num_single_layers": 1,
    "attention_head_dim": 16, "num_attention_heads": 4, "caption_channels": [24, 32], "text_emb_dim": 16,
    "axes_dims_rope": (4, 6, 6), "llama_layers": [0, 1],
}  # fmt: skip
LTX_2 = LTX | {
    "image_model": "ltxav", "audio_cross_attention_dim": 32, "audio_attention_head_dim": 8,
    "audio_num_attention_heads": 4, "connector_attention_head_dim": 12, "connector_num_attention_heads": 2,
    "connector_num_layers": 1,
}  # fmt: skip
MINIMAX = {
    "image_model": "minimax_h3", "hidden_size": 256, "num_layers": 2, "token_refiner_num_layers": 1,
    "num_attention_heads": 2, "attention_head_dim": 128, "ffn_hidden_size": 96, "text_dim": 24,
    "timestep_input_dim": 32, "time_embed_hidden_size": 32, "time_embed_dim": 16,
}  # fmt: skip
LONGCAT = FLUX_1 | {"guidance_embed": False, "vec_in_dim": None, "txt_ids_dims": [1, 2]}
RADIANCE = FLUX | {
    "image_model": "chroma_radiance", "in_channels": 3, "out_channels": 3, "in_dim": 64, "out_dim": 64,
    "hidden_dim": 32, "n_layers": 1, "patch_size": 4, "nerf_hidden_size": 16, "nerf_mlp_ratio": 2, "nerf_depth": 1,
    "nerf_max_freqs": 4, "nerf_tile_size": 0, "nerf_final_head_type": "conv", "nerf_embedder_dtype": None,
    "use_x0": False, "use_sequential_txt_ids": False,
}  # fmt: skip
