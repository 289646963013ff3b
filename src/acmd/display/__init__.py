"""A snapshot as people and machines want it: warnings, sentences, a page, metrics. Values in, text out."""
