"""The product: what a user runs. Joins `models`, `streaming` and `clients`."""
