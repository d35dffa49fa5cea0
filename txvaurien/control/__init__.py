"""Live control over HTTP."""
