"""Commands on what results are judged by."""
