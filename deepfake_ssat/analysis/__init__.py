"""What a network learnt: attention, feature maps, curvature, and where it looks (paper, section 5.2)."""
