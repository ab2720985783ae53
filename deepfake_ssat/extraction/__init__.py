"""The parts of preprocess: processes, what they do to one video, journal, masks and report."""
