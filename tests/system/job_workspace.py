"""A workspace of tools that run until the test lets them go, and a client of the server that serves them."""

from pathlib import Path
from typing import Self

import grpc
from google.protobuf.duration_pb2 import Duration

from tests.system.dev_server import Server
from toolcell.v1 import job_pb2, trace_pb2, trace_service_pb2
from toolcell.v1 import job_service_pb2 as v1
from toolcell.v1.job_service_pb2_grpc import JobServiceStub
from toolcell.v1.trace_service_pb2_grpc import TraceServiceStub

PROTO = """syntax = "proto3";
package work.v1;
// Work to do.
message WorkRequest {
  // Names the work.
  string name = 1;
  // Whether SIGTERM is ignored.
  bool stubborn = 2;
}
// Work done.
message WorkResponse {
  // Names the work.
  string name = 1;
  // Counts the attempts.
  int32 attempt = 2;
}
// Tools that work.
service WorkService {
  // Works, and may be repeated.
  rpc Safe(WorkRequest) returns (WorkResponse) {
    option idempotency_level = IDEMPOTENT;
  }
  // Works, and may not be repeated.
  rpc Unsafe(WorkRequest) returns (WorkResponse);
}
"""
HANDLER = """import pathlib, signal, time

GATE = pathlib.Path(__file__).parent / "gate"

def handler(arguments, cell):
    if arguments.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    cell.progress(0.5, "at the gate")
    name = arguments["name"]
    while name and not (GATE / name).exists():
        time.sleep(0.01)
    return {"name": name, "attempt": cell.attempt}
"""
POLICY = """read = ["gate/"]
timeout = "50s"
[pool]
warm = 1
max = 2
"""
TOOLS = ("safe", "unsafe")


def make(folder: Path) -> Path:
    """Writes the workspace."""
    (folder / "protos").mkdir()
    (folder / "protos/work.proto").write_text(PROTO)
    for name in TOOLS:
        (folder / "handlers" / name / "gate").mkdir(parents=True)
        (folder / "handlers" / name / "handler.py").write_text(HANDLER)
        (folder / "handlers" / name / "cell.toml").write_text(POLICY)
    return folder


def let_go(folder: Path, *names: str) -> None:
    """Lets the work of these names come to its end: now, and in every server to come.

    Cells see the server's copy of their handler's folder; the next server copies it anew.
    """
    copies, handlers = folder / ".toolcell/copies", folder / "handlers"
    for gate in (
        gate for tool in TOOLS for gate in (handlers / tool / "gate", *(copies / tool).glob("*/gate"))
    ):
        for name in names:
            (gate / name).touch()


class Client:
    """Speaks to the dev server of a folder."""

    def __init__(self, folder: Path) -> None:
        state = folder / ".toolcell"
        self.channel = grpc.insecure_channel((state / "address").read_text().strip())
        self.metadata = (("authorization", f"Bearer {(state / 'dev.key').read_text().strip()}"),)
        self.jobs = JobServiceStub(self.channel)
        self.traces = TraceServiceStub(self.channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def start(self, tool: str, name: str, *, stubborn: bool = False) -> job_pb2.Job:
        """Starts a job."""
        text = f'{{"name": "{name}", "stubborn": {str(stubborn).lower()}}}'
        request = v1.StartJobRequest(tool=tool, arguments_json=text)
        return self.jobs.StartJob(request, metadata=self.metadata).job

    def get(self, job: job_pb2.Job) -> job_pb2.Job:
        """Returns a job as it stands."""
        return self.jobs.GetJob(v1.GetJobRequest(job_id=job.job_id), metadata=self.metadata).job

    def wait(self, job: job_pb2.Job, seconds: int = 40) -> job_pb2.Job:
        """Waits for a job."""
        request = v1.WaitJobRequest(job_id=job.job_id, timeout=Duration(seconds=seconds))
        return self.jobs.WaitJob(request, metadata=self.metadata).job

    def cancel(self, job: job_pb2.Job) -> job_pb2.Job:
        """Cancels a job."""
        return self.jobs.CancelJob(v1.CancelJobRequest(job_id=job.job_id), metadata=self.metadata).job

    def at_the_gate(self, job: job_pb2.Job) -> job_pb2.Job:
        """Returns a job once its handler has said that it runs."""
        while not (found := self.get(job)).HasField("progress"):
            assert not found.HasField("end_time"), found
        return found

    def attempts(self, job: job_pb2.Job) -> list[trace_pb2.Invocation]:
        """Returns the records of a job's attempts, newest first."""
        chosen = trace_service_pb2.InvocationFilter(job_id=job.job_id)
        request = trace_service_pb2.ListInvocationsRequest(filter=chosen)
        return list(self.traces.ListInvocations(request, metadata=self.metadata).invocations)


def serve(folder: Path) -> Server:
    """Starts a dev server in the workspace; it runs what an earlier one left."""
    return Server.dev(folder)
