"""The layouts of the field's data sets: index(root) gives SourceVideos."""
