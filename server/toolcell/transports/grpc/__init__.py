"""The gRPC door: grpc.aio, raw request bytes, and google.rpc.Status for every refusal."""
