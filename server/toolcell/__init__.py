"""Runs protobuf service methods as tools that a language model can call safely."""

__version__ = "0.1.0"
