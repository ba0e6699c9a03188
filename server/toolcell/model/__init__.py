"""The nouns every floor shares: plain data, no behaviour that touches the world. Standard library only."""
