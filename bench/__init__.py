"""The side-by-side benchmark: `python -m bench --help`. Not part of the wheel."""
