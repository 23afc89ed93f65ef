"""The gRPC services: the only folder that knows protobuf."""
