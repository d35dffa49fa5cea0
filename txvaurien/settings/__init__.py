"""What users write: command line, files, help, and what all of that comes to."""
