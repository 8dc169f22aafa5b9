"""What a user sees: V3 schema -> one call into the engine -> outputs."""


def node_classes() -> list[type]:
    """All nodes of the pack; imports ComfyUI."""
    from .adjust import HRVConceptAdjust
    from .attend_excite import HRVAttendExcite
    from .background_similarity import HRVBackgroundSimilarity
    from .build import HRVBuild
    from .caption_scorer import HRVCaptionScorer
    from .clip_scorer import HRVCLIPScorer
    from .compare import HRVCompare
    from .compare_scores import HRVCompareScores
    from .concepts import HRVConcepts
    from .ddim_invert import HRVDDIMInvert
    from .fetch import HRVFetch
    from .files import HRVImport, HRVLoad, HRVMerge, HRVSave
    from .free_prompt_edit import HRVFreePromptEdit
    from .guidance_losses import HRVGuidanceLosses
    from .head_concepts import HRVHeadConcepts
    from .heatmap import HRVHeatmap
    from .logit_scale import HRVLogitScale
    from .masactrl_edit import HRVMasaCtrlEdit
    from .min_object_scorer import HRVMinObjectScorer
    from .p2p_edit import HRVP2PEdit
    from .plms_sampler import HRVPLMSSampler
    from .plug_and_play_edit import HRVPlugAndPlayEdit
    from .pocket_model import HRVPocketModel
    from .pocket_scorer import HRVPocketScorer
    from .prompt import HRVPrompt
    from .prompt_set import HRVPromptSet
    from .report import HRVReport
    from .score_images import HRVScoreImages
    from .similarity import HRVSimilarity
    from .strengthen import HRVConceptStrengthen
    from .structured_diffusion import HRVStructuredDiffusion
    from .suggest import HRVSuggest
    from .suggest_llm import HRVSuggestLLM
    from .syngen import HRVSynGen
    from .token_map_view import HRVTokenMapView
    from .token_maps import HRVTokenMaps
    from .top_heads import HRVTopHeads
    from .tsne import HRVTSNE
    from .weaken import HRVWeaken
    from .weaken_curve import HRVWeakenCurve
    from .weaken_sweep import HRVWeakenSweep
    from .weakening_prompts import HRVWeakeningPrompts

    return [
        HRVPocketModel,
        HRVPrompt,
        HRVConcepts,
        HRVPromptSet,
        HRVBuild,
        HRVLoad,
        HRVSave,
        HRVImport,
        HRVFetch,
        HRVMerge,
        HRVConceptStrengthen,
        HRVConceptAdjust,
        HRVSuggest,
        HRVSuggestLLM,
        HRVP2PEdit,
        HRVPlugAndPlayEdit,
        HRVMasaCtrlEdit,
        HRVFreePromptEdit,
        HRVDDIMInvert,
        HRVPLMSSampler,
        HRVAttendExcite,
        HRVSynGen,
        HRVStructuredDiffusion,
        HRVGuidanceLosses,
        HRVHeatmap,
        HRVSimilarity,
        HRVTopHeads,
        HRVCompare,
        HRVHeadConcepts,
        HRVTSNE,
        HRVWeaken,
        HRVWeakenSweep,
        HRVLogitScale,
        HRVReport,
        HRVTokenMaps,
        HRVTokenMapView,
        HRVWeakeningPrompts,
        HRVPocketScorer,
        HRVCLIPScorer,
        HRVMinObjectScorer,
        HRVCaptionScorer,
        HRVScoreImages,
        HRVBackgroundSimilarity,
        HRVCompareScores,
        HRVWeakenCurve,
    ]
