"""The emoji world: 64×64 scenes of four hundred everyday things, their captions, and the network that reads them."""
