"""The doors: each turns a protocol's request into a call or a query, and the outcome into its answer."""
