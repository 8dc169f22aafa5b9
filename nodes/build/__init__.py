"""Make HRVs: which concepts, which prompts, the votes."""
