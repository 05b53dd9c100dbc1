"""Turning text into vectors: what a provider of embeddings is, and the one that is built in.

Importing this package loads nothing; `static` needs numpy and the tokenizer, so import it where a vector is wanted.
"""
