"""Cells: fresh confined processes, each for one call of one tool."""
