"""What is asked for over gRPC: its models, and how messages are read as them."""
