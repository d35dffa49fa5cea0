"""Tests of what can be tested of the benchmark without measuring."""
