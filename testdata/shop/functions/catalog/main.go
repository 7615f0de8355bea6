// Catalog answers what is for sale.
package main

import (
	"encoding/json"

	"shop/lambda"
)

var version = "dev"

func main() {
	lambda.Start(func(json.RawMessage) (any, error) {
		return map[string]any{"ok": true, "version": version, "items": []string{"rope", "anchor", "buoy"}}, nil
	})
}
