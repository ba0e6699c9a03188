package client

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	domain     = "toolcell.dev"
	unfinished = "{tool} did not finish in time and was stopped. It may or may not have taken effect."
)

var blank = regexp.MustCompile(`\{(\w+)\}`)

// Sentences are what a model is told when a call was refused, by reason.
type Sentences map[string]string

// ReadSentences reads clients/sentences.json.
func ReadSentences(file string) (Sentences, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var sentences Sentences
	return sentences, json.Unmarshal(text, &sentences)
}

// Refusal is what a status says. Sentence is for the model; "" means that a model can do nothing about it.
type Refusal struct {
	Reason, Executed, Sentence string
}

// Read reads the details of a failed call of a tool.
func (sentences Sentences) Read(err error, tool string) Refusal {
	found := status.Convert(err)
	facts := map[string]string{"tool": tool}
	refusal := Refusal{Executed: "MAYBE"}
	var violations []string
	for _, detail := range found.Details() {
		switch it := detail.(type) {
		case *errdetails.ErrorInfo:
			if it.Domain != domain {
				continue
			}
			refusal.Reason = it.Reason
			for key, value := range it.Metadata {
				facts[key] = value
			}
			if executed := it.Metadata["executed"]; executed != "" {
				refusal.Executed = executed
			}
		case *errdetails.BadRequest:
			for _, v := range it.FieldViolations {
				violations = append(violations, strings.TrimPrefix(v.Field+": "+v.Description, ": "))
			}
		}
	}
	facts["violations"] = strings.TrimRight(strings.Join(violations, "; "), ".")
	if facts["near"] == "" {
		facts["near"] = "the tools you were given"
	}
	template := sentences[refusal.Reason]
	if refusal.Reason == "" && found.Code() == codes.DeadlineExceeded {
		template = unfinished
	}
	refusal.Sentence = blank.ReplaceAllStringFunc(template, func(word string) string {
		name := word[1 : len(word)-1]
		if value, ok := facts[name]; ok {
			return value
		}
		return "the " + strings.ReplaceAll(name, "_", " ")
	})
	return refusal
}
