"""Edit with the layout kept: Prompt-to-Prompt with HRVs and the methods it is compared with."""
