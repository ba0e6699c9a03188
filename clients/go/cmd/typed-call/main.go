// Command typed-call calls a tool by its own gRPC method, with the messages of its contract.
//
//	typed-call WEIGHT_KG COUNTRY
//
// It prints one JSON object: the quote's price, the ids of call and record; or the reason why there is none.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"toolcell.dev/clients/go/client"
	shipping "toolcell.dev/clients/go/gen/examples/shipping/v1"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 2 {
		return fmt.Errorf("usage: typed-call WEIGHT_KG COUNTRY")
	}
	weight, err := strconv.ParseFloat(arguments[0], 64)
	if err != nil {
		return err
	}
	connection, ctx, err := client.Connect(context.Background())
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx = metadata.AppendToOutgoingContext(ctx, "toolcell-tool-call-id", "call_go", "toolcell-label-client", "go")
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var trailer metadata.MD
	request := &shipping.QuoteShippingRequest{WeightKg: weight, Country: arguments[1]}
	quote, err := shipping.NewShippingServiceClient(connection).QuoteShipping(ctx, request, grpc.Trailer(&trailer))
	said := map[string]any{"invocation_id": first(trailer.Get("toolcell-invocation-id"))}
	if err == nil {
		said["price_cents"], said["currency"] = quote.PriceCents, quote.Currency
	} else {
		refusal := client.Sentences(nil).Read(err, "quote_shipping")
		if refusal.Reason == "" {
			return err
		}
		said["code"], said["reason"], said["executed"] = status.Code(err).String(), refusal.Reason, refusal.Executed
		said["message"] = status.Convert(err).Message()
	}
	return json.NewEncoder(os.Stdout).Encode(said)
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
