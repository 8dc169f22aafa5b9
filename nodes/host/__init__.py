"""The only code that knows ComfyUI's internals: attention slots, cond rows, tokenizer, progress, model folders."""
