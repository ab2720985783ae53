"""From a corpus to face clips on disk: one video, its changed face, the journal, the account of a run."""
