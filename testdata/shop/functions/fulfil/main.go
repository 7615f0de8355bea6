// Fulfil works off orders from the queue.
package main

import (
	"encoding/json"

	"shop/lambda"
)

var version = "dev"

func main() {
	lambda.Start(func(event json.RawMessage) (any, error) {
		var batch struct {
			Records []struct {
				MessageID string `json:"messageId"`
				Body      string `json:"body"`
			} `json:"Records"`
		}
		if err := json.Unmarshal(event, &batch); err != nil {
			return nil, err
		}
		failures := []map[string]string{}
		for _, r := range batch.Records {
			if !json.Valid([]byte(r.Body)) {
				failures = append(failures, map[string]string{"itemIdentifier": r.MessageID})
			}
		}
		return map[string]any{"batchItemFailures": failures, "version": version}, nil
	})
}
