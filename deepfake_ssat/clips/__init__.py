"""Face clips on disk, as a data set, augmented."""
