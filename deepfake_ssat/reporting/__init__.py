"""Results as tables, JSON, CSV and pictures."""
