"""The only code that knows ComfyUI's internals: attention sites, cond rows, tokenizer, progress, model folders."""
