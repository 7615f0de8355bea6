package wire

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// Operation is one operation of a service, made by Op.
type Operation struct {
	run func(ctx context.Context, c *Call, tree any) (in, out any, err error)
}

// Op makes an operation of a function over typed members.
func Op[I, O any](f func(context.Context, *Call, *I) (O, error)) Operation {
	return Operation{run: func(ctx context.Context, c *Call, tree any) (any, any, error) {
		in := new(I)
		if err := Decode(tree, in); err != nil {
			return nil, nil, err
		}
		out, err := f(ctx, c, in)
		return Tree(in), Tree(out), err
	}}
}

// None is the answer of an operation that answers nothing.
type None struct{}

// Model is a service of named operations (awsJson, query, rpc-v2-cbor, or REST
// by its routes), for embedding. It answers one account and region.
type Model struct {
	Signing    string   // the signing name
	Namespace  string   // of query XML; "" when the service has no query protocol
	Hidden     []string // members whose value is never recorded
	Operations map[string]Operation
	Routes     []Route // of a REST service
}

// Name is the signing name.
func (m *Model) Name() string { return m.Signing }

// Operation names the call.
func (m *Model) Operation(r *http.Request, body []byte) string {
	protocol := ProtocolOf(m.Signing, r)
	op := OperationOf(protocol, r, body)
	if protocol == RESTJSON {
		if route, _ := m.route(r); route != nil {
			op = route.Operation
		}
	}
	if _, known := m.Operations[op]; !known {
		return ""
	}
	return op
}

// Serve answers in the protocol of the request, and records members and
// response without what is hidden.
func (m *Model) Serve(w http.ResponseWriter, r *http.Request, body []byte, c *Call) {
	protocol := ProtocolOf(m.Signing, r)
	reply := Reply{Protocol: protocol, Operation: c.Operation, Namespace: m.Namespace, RequestID: c.ID}
	op, known := m.Operations[c.Operation]
	if !known {
		reply.WriteError(w, Unknown(c.Operation))
		return
	}
	tree, err := m.parse(protocol, r, body)
	if err != nil {
		reply.WriteError(w, err)
		return
	}
	in, out, err := op.run(r.Context(), c, tree)
	c.Params = m.record(in)
	if err != nil {
		reply.WriteError(w, err)
		return
	}
	if !c.ReadOnly {
		c.Response = m.record(out)
	}
	reply.Write(w, out)
}

// Unknown is the error for an operation a service does not have.
func Unknown(operation string) *Error {
	return &Error{Status: 400, Code: "UnknownOperationException", Message: "the sandbox has no operation " + operation}
}

// HiddenValue is what the audit trail shows in place of a secret.
const HiddenValue = "HIDDEN_DUE_TO_SECURITY_REASONS"

// record is what the audit trail shows of members: nothing hidden, and its own
// spelling.
func (m *Model) record(tree any) map[string]any {
	out, _ := Lower(Hide(Plain(tree), m.Hidden)).(map[string]any)
	return out
}

// Lower spells the members of structures as the audit trail does, with a small
// first letter; keys of maps keep theirs.
func Lower(tree any) any {
	switch x := tree.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, v := range x {
			out[LowerFirst(k)] = Lower(v)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = Lower(x[i])
		}
		return out
	default:
		return x
	}
}

// LowerFirst is a member's name with a small first letter.
func LowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// Hide replaces the members named, wherever they stand, in a copy of the tree.
func Hide(tree any, names []string) any {
	switch x := tree.(type) {
	case map[string]any:
		return hideMembers(x, names)
	case Map:
		return Map(hideMembers(x, names))
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = Hide(x[i], names)
		}
		return out
	default:
		return x
	}
}

func hideMembers(in map[string]any, names []string) map[string]any {
	out := make(map[string]any, len(in))
	for k, v := range in {
		if slices.Contains(names, k) {
			out[k] = HiddenValue
			continue
		}
		out[k] = Hide(v, names)
	}
	return out
}
