"""Published figures, made again: one file per paper, named by the key of its entry in `references.bib`."""
