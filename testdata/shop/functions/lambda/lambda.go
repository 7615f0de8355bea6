// Package lambda is the little of a custom runtime that the shop needs: it
// takes events from the Lambda Runtime API and hands back what a handler
// answers.
package lambda

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
)

// Start serves events for ever.
func Start(handle func(event json.RawMessage) (any, error)) {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		resp, err := http.Get(base + "next")
		if err != nil {
			fmt.Fprintln(os.Stderr, "next event:", err)
			os.Exit(1)
		}
		event, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		id := resp.Header.Get("Lambda-Runtime-Aws-Request-Id")
		if err != nil || id == "" {
			fmt.Fprintln(os.Stderr, "read event:", resp.Status, err)
			os.Exit(1)
		}
		answer(base+id, event, handle)
	}
}

func answer(url string, event []byte, handle func(json.RawMessage) (any, error)) {
	result, err := handle(event)
	path := "/response"
	if err != nil {
		path, result = "/error", map[string]string{"errorType": "ShopError", "errorMessage": err.Error()}
	}
	body, err := json.Marshal(result)
	if err != nil {
		path, body = "/error", []byte(`{"errorType":"ShopError","errorMessage":"the answer is not JSON"}`)
	}
	resp, err := http.Post(url+path, "application/json", bytes.NewReader(body))
	if err != nil {
		fmt.Fprintln(os.Stderr, "answer:", err)
		os.Exit(1)
	}
	resp.Body.Close()
}
