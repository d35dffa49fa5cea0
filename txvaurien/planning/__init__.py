"""Plans (`txvaurien.plan`) as text and JSON, and what follows one while links stand."""
