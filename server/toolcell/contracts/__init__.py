"""Contracts: users' .proto files become tools with schemas, a codec and a policy.

sources     the .proto files of a workspace            policy      handlers/<tool>/cell.toml
compiler    protoc in a limited process                handlers    handlers/<tool>/ itself
definitions one load's messages: pool, options, rules  tools       methods and handlers become tools
comments    what the authors wrote beside them         catalog     all of it, loaded and swapped whole
options     custom options, read from the same pool
codec/      JSON text ↔ message, strictly
schema, constraints, grammar   what a model is shown
form, translation, steps       what a dialect says differently, and how it is undone
dialects/   each provider's form of tools, calls and results
"""
