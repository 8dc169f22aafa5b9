"""Prompt-to-Prompt with HRVs and the editing methods it is compared with (section 5.2)."""
