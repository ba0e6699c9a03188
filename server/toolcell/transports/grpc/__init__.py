"""The gRPC door: grpc.aio, raw request bytes, and google.rpc.Status for every refusal."""

import os

# Read when grpc is imported. Its own lines on stderr would stand between ours, which are JSON in production;
# what goes wrong is told in our words. Set, the variable brings them back.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
