"""What a server and a cell say to each other: frames, and which may come when. Standard library only."""
