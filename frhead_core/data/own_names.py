"""Datasets of the user's own: what they are called in recipes, and which files they have."""

from __future__ import annotations

NAME = "own"
INDEX = "index.csv"
CLASSES = "classes.txt"
ARRAYS = ".npy"
SUFFIXES = (ARRAYS, INDEX, CLASSES)
