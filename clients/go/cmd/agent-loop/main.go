// Command agent-loop replays recorded turns of a model against a Toolcell server: the loop that an orchestrator runs.
//
//	agent-loop TURNS SENTENCES
//
// TURNS are OpenAI Chat assistant messages, one JSON object a line; SENTENCES is clients/sentences.json. It prints, one
// JSON object a line, the tool messages that the next request to the model would carry.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"toolcell.dev/clients/go/client"
	pb "toolcell.dev/clients/go/gen/toolcell/v1"
)

const (
	callTime = 60 * time.Second
	attempts = 3
)

type toolCall struct {
	ID       string `json:"id"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type toolMessage struct {
	Role       string `json:"role"`
	ToolCallID string `json:"tool_call_id"`
	Content    string `json:"content"`
}

type agent struct {
	tools     pb.ToolServiceClient
	sentences client.Sentences
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 2 {
		return fmt.Errorf("usage: agent-loop TURNS SENTENCES")
	}
	sentences, err := client.ReadSentences(arguments[1])
	if err != nil {
		return err
	}
	connection, ctx, err := client.Connect(context.Background())
	if err != nil {
		return err
	}
	defer connection.Close()
	it := agent{pb.NewToolServiceClient(connection), sentences}
	if err := it.showTools(ctx); err != nil {
		return err
	}
	turns, err := os.Open(arguments[0])
	if err != nil {
		return err
	}
	defer turns.Close()
	lines, out := bufio.NewScanner(turns), json.NewEncoder(os.Stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var turn struct {
			ToolCalls []toolCall `json:"tool_calls"`
		}
		if err := json.Unmarshal(lines.Bytes(), &turn); err != nil {
			return err
		}
		messages, err := it.answer(ctx, turn.ToolCalls)
		if err != nil {
			return err
		}
		for _, message := range messages {
			if err := out.Encode(message); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

// showTools fetches the tools as they go into a request to the model, and says on stderr which there are.
func (a agent) showTools(ctx context.Context) error {
	request := &pb.GetManifestRequest{Dialect: "openai-chat"}
	for {
		page, err := a.tools.GetManifest(ctx, request)
		if err != nil {
			return err
		}
		var tools []struct{ Function struct{ Name string } }
		if err := json.Unmarshal([]byte(page.ManifestJson), &tools); err != nil {
			return err
		}
		for _, tool := range tools {
			fmt.Fprintln(os.Stderr, "the model sees", tool.Function.Name)
		}
		if page.NextPageToken == "" {
			return nil
		}
		request.PageToken = page.NextPageToken
	}
}

// answer runs all tool calls of an assistant message at once and returns the tool messages in their order.
func (a agent) answer(ctx context.Context, calls []toolCall) ([]toolMessage, error) {
	messages, failed := make([]toolMessage, len(calls)), make([]error, len(calls))
	var running sync.WaitGroup
	for n, call := range calls {
		running.Add(1)
		go func() {
			defer running.Done()
			content, err := a.call(ctx, call)
			messages[n], failed[n] = toolMessage{"tool", call.ID, content}, err
		}()
	}
	running.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return messages, nil
}

// call returns what one call answers the model; an error is for whoever runs this, not for the model.
func (a agent) call(ctx context.Context, call toolCall) (string, error) {
	request := &pb.InvokeRequest{
		Tool:       call.Function.Name,
		Input:      &pb.InvokeRequest_ArgumentsJson{ArgumentsJson: call.Function.Arguments},
		ToolCallId: call.ID,
	}
	for attempt := 1; ; attempt++ {
		limited, cancel := context.WithTimeout(ctx, callTime)
		answer, err := a.tools.Invoke(limited, request)
		cancel()
		if err == nil {
			if failure := answer.GetFailure(); failure != nil {
				return "Error: " + failure.Message, nil
			}
			return answer.GetOutputJson(), nil
		}
		refusal := a.sentences.Read(err, call.Function.Name)
		// Only "nothing was run" may be sent again: a lost connection does not say that.
		if status.Code(err) == codes.Unavailable && refusal.Executed == "NO" && attempt < attempts {
			time.Sleep(100 * time.Millisecond << attempt)
			continue
		}
		if refusal.Sentence == "" {
			return "", err
		}
		return "Error: " + refusal.Sentence, nil
	}
}
