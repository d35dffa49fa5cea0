"""Scenarios: faults that come and go at given times."""
