"""What is remembered: tokens and traces, written once over a small Database; only `sqlite` knows SQLite."""
