"""JSON text ↔ message, strictly.

One walk checks, normalises and fills defaults, and names everything that is wrong.

A *shape* is what the walk needs to know of a message, prepared once. It reads a JSON value and gives two
forms of it: the canonical ProtoJSON value (`plain`) and what the message's constructor takes (`wire`), so
that protovalidate can judge the message. One walk instead of a quick parser and a slow explainer: there is no
second opinion on what is valid.
"""
