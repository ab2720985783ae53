"""The peers of the paper's table 8, on backbones of timm, which is imported when one is built."""
