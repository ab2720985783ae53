"""Tables and pictures of whole protocols: held-out manipulations, and checkpoints on several data sets."""
