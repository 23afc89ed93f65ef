"""What all tests share; this directory is on the import path."""
