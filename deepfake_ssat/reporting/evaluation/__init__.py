"""What an evaluation found: metrics by group, as table, JSON, CSV and pictures."""
