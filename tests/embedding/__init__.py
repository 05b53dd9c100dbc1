"""Providers of embeddings: which one the settings name, and services that misbehave over real HTTP."""
