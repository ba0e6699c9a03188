// Command tail-trace prints events of the trace, one JSON object a line.
//
//	tail-trace [--follow] [--invocation ID] [CURSOR]
//
// It begins after CURSOR and ends with what has happened so far; --follow goes on with what happens from now on.
// Without CURSOR it begins with the oldest event that is kept, or with --follow now. Every event carries the cursor
// that resumes after it; what retention removed before is told as {"gap": ...}.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"toolcell.dev/clients/go/client"
	pb "toolcell.dev/clients/go/gen/toolcell/v1"
)

const (
	oldest = "0"
	now    = ""
)

func main() {
	follow := flag.Bool("follow", false, "go on with what happens from now on")
	invocation := flag.String("invocation", "", "only this invocation's, an `ID`")
	flag.Parse()
	request := &pb.StreamTraceRequest{
		Filter: &pb.EventFilter{InvocationId: *invocation},
		Cursor: oldest,
		Follow: *follow,
	}
	switch {
	case flag.NArg() > 1:
		fmt.Fprintln(os.Stderr, "usage: tail-trace [--follow] [--invocation ID] [CURSOR]")
		os.Exit(2)
	case flag.NArg() == 1:
		request.Cursor = flag.Arg(0)
	case *follow:
		request.Cursor = now
	}
	if err := run(request); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run prints what the stream brings until it ends; a server that goes away is an error.
func run(request *pb.StreamTraceRequest) error {
	connection, ctx, err := client.Connect(context.Background())
	if err != nil {
		return err
	}
	defer connection.Close()
	stream, err := pb.NewTraceServiceClient(connection).StreamTrace(ctx, request)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for {
		answer, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := show(out, answer); err != nil {
			return err
		}
	}
}

func show(out *json.Encoder, answer *pb.StreamTraceResponse) error {
	if answer.Gap != nil {
		gap, err := data(answer.Gap)
		if err != nil {
			return err
		}
		if err := out.Encode(map[string]json.RawMessage{"gap": gap}); err != nil {
			return err
		}
	}
	for _, event := range answer.Events {
		line, err := data(event)
		if err != nil {
			return err
		}
		if err := out.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// data returns a message as JSON with the contract's own field names.
func data(message proto.Message) (json.RawMessage, error) {
	return protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
}
