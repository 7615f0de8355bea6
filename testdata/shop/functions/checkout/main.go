// Checkout takes an order. Version and failure rate are set when it is built,
// so that a bad release is as real as a good one.
package main

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"

	"shop/lambda"
)

var (
	version = "dev"
	// failing is the percentage of orders this build loses.
	failing = "0"
)

func main() {
	percent, err := strconv.Atoi(failing)
	if err != nil {
		percent = 0
	}
	lambda.Start(func(event json.RawMessage) (any, error) {
		var order struct {
			Ping bool `json:"ping"`
		}
		if err := json.Unmarshal(event, &order); err != nil {
			return nil, errors.New("the order is not JSON")
		}
		if os.Getenv("ORDERS_URL") == "" || os.Getenv("STRIPE_KEY") == "" {
			return nil, errors.New("this environment lacks ORDERS_URL or STRIPE_KEY")
		}
		if !order.Ping && rand.IntN(100) < percent {
			return nil, errors.New("order lost")
		}
		return map[string]any{"ok": true, "version": version, "currency": os.Getenv("CURRENCY")}, nil
	})
}
