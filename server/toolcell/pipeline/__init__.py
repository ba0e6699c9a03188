"""The corridor every call walks through: one file a concern, one ordered tuple of stages (see `invoke`)."""
