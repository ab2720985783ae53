"""The training loop: Lightning adapters without maths of their own."""
