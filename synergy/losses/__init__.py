"""Signed losses of pairs, what they promise of a tree, and which training tells most next."""
