package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"time"
)

// parseJSON reads a JSON document into a tree; an empty one is an empty
// structure.
func parseJSON(body []byte) (any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}, nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, &Error{Status: 400, Code: "SerializationException", Message: "the request is not JSON"}
	}
	return tree, nil
}

// jsonOf writes a tree as awsJson does: times are seconds since the epoch,
// blobs are base64.
func jsonOf(tree any) []byte {
	raw, err := json.Marshal(jsonable(tree, epochSeconds))
	if err != nil {
		return []byte("{}") // a tree holds nothing that JSON cannot write
	}
	return raw
}

func epochSeconds(t time.Time) any { return float64(t.UnixMilli()) / 1000 }

// Plain is the tree as a JSON document for people and records: times in
// RFC 3339, members as they are.
func Plain(tree any) any {
	return jsonable(tree, func(t time.Time) any { return t.UTC().Format(time.RFC3339) })
}

func jsonable(tree any, when func(time.Time) any) any {
	switch x := tree.(type) {
	case map[string]any:
		return jsonableMap(x, when)
	case Map:
		return Map(jsonableMap(x, when))
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = jsonable(x[i], when)
		}
		return out
	case []byte:
		return base64.StdEncoding.EncodeToString(x)
	case time.Time:
		return when(x)
	default:
		return x
	}
}

func jsonableMap(in map[string]any, when func(time.Time) any) map[string]any {
	out := make(map[string]any, len(in))
	for k, x := range in {
		out[k] = jsonable(x, when)
	}
	return out
}
