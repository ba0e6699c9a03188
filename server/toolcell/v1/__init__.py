"""The public contract: made from protos/toolcell/v1 by ./dev generate, never edited."""
