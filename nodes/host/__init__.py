"""The only code that knows ComfyUI's internals: attention slots, cond rows, steps, tokenizer, progress, model folders."""
