"""Toxics: what is done to the byte stream of a direction. One file each."""
