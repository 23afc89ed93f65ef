"""How agents are reached: the headers they are sent, and their URLs."""
