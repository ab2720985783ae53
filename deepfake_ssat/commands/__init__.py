"""One file per verb: parse nothing, print little, call the nouns."""
