"""Cases that other tools wrote, as labelled cases of one's own: nothing is left out silently."""
