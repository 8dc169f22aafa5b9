"""Keep every object: latent guidance on the stock KSampler."""
