"""How good judges are, by the labels that people gave: cases, measures, reports, and the golden set's gate."""
