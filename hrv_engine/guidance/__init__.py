"""Attend-and-Excite with HRVs, SynGen, Structured Diffusion (section 5.3)."""
