"""The masked autoencoder, its checkpoints and published weights."""
