"""How results are judged: policies of judging, and verdicts."""
