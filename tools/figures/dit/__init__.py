"""Head vectors of a Flux-shaped pocket model, by votes and by effect."""
