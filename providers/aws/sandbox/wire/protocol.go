package wire

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Protocol is how a request is written, and so how it is answered.
type Protocol int

// The protocols of the services here. REST JSON is the default, because it has
// no mark of its own.
const (
	RESTJSON Protocol = iota
	JSON10
	JSON11
	Query
	CBOR
	RESTXML
)

const cborService = "/service/"

// ProtocolOf tells the protocol of a request to a service.
func ProtocolOf(service string, r *http.Request) Protocol {
	kind := r.Header.Get("Content-Type")
	switch {
	case service == "s3":
		return RESTXML
	case strings.EqualFold(r.Header.Get("Smithy-Protocol"), "rpc-v2-cbor"), strings.HasPrefix(r.URL.Path, cborService):
		return CBOR
	case r.Header.Get("X-Amz-Target") != "" && strings.HasPrefix(kind, "application/x-amz-json-1.0"):
		return JSON10
	case r.Header.Get("X-Amz-Target") != "":
		return JSON11
	case strings.HasPrefix(kind, "application/x-www-form-urlencoded"), r.URL.Query().Get("Action") != "":
		return Query
	default:
		return RESTJSON
	}
}

// OperationOf names the operation of the protocols that name it; "" for REST.
func OperationOf(p Protocol, r *http.Request, body []byte) string {
	switch p {
	case JSON10, JSON11:
		target := r.Header.Get("X-Amz-Target")
		return target[strings.LastIndexByte(target, '.')+1:]
	case CBOR:
		return r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	case Query:
		return form(r, body).Get("Action")
	default:
		return ""
	}
}

func form(r *http.Request, body []byte) url.Values {
	values, err := url.ParseQuery(string(body))
	if err != nil || len(values) == 0 {
		return r.URL.Query()
	}
	return values
}

// Parse reads the members of a request into a tree.
func Parse(p Protocol, r *http.Request, body []byte) (any, error) {
	switch p {
	case JSON10, JSON11, RESTJSON:
		return parseJSON(body)
	case CBOR:
		return parseCBOR(body)
	case Query:
		return parseQuery(form(r, body)), nil
	default:
		return map[string]any{}, nil
	}
}

// Reply is one answer about to be written.
type Reply struct {
	Protocol  Protocol
	Operation string
	Namespace string // of query XML
	RequestID string
}

// Write answers with a tree.
func (p Reply) Write(w http.ResponseWriter, tree any) {
	p.header(w)
	var body []byte
	switch p.Protocol {
	case CBOR:
		body = cborOf(members(tree))
	case Query:
		body = p.queryXML(tree)
	default:
		body = jsonOf(members(tree))
	}
	p.send(w, http.StatusOK, body)
}

// send writes the body, which DynamoDB's clients hold against its checksum.
func (p Reply) send(w http.ResponseWriter, status int, body []byte) {
	if p.Protocol == JSON10 {
		w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away is nobody's fault
}

func members(tree any) any {
	if tree == nil {
		return map[string]any{}
	}
	return tree
}

func (p Reply) header(w http.ResponseWriter) {
	h := w.Header()
	h.Set("X-Amzn-Requestid", p.RequestID)
	switch p.Protocol {
	case CBOR:
		h.Set("Content-Type", "application/cbor")
		h.Set("Smithy-Protocol", "rpc-v2-cbor")
	case Query:
		h.Set("Content-Type", "text/xml")
	case RESTXML:
		h.Set("Content-Type", "application/xml")
		h.Set("X-Amz-Request-Id", p.RequestID)
	case JSON10:
		h.Set("Content-Type", "application/x-amz-json-1.0")
	case JSON11:
		h.Set("Content-Type", "application/x-amz-json-1.1")
	default:
		h.Set("Content-Type", "application/json")
	}
}

func (p Reply) queryXML(tree any) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "<%sResponse xmlns=%q><%sResult>", p.Operation, p.Namespace, p.Operation)
	xmlOf(&out, tree)
	fmt.Fprintf(&out, "</%sResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>",
		p.Operation, p.RequestID, p.Operation)
	return out.Bytes()
}

// WriteError answers with an error; anything but an *Error is an
// InternalFailure.
func (p Reply) WriteError(w http.ResponseWriter, err error) {
	e := AsError(err)
	p.header(w)
	var body []byte
	switch p.Protocol {
	case Query:
		body = p.queryError(e)
	case RESTXML:
		body = p.restError(e)
	case CBOR:
		queryCode(w, e)
		body = cborOf(errorTree(e))
	case RESTJSON:
		w.Header().Set("X-Amzn-Errortype", e.Code)
		body = jsonOf(errorTree(e))
	default:
		queryCode(w, e)
		body = jsonOf(errorTree(e))
	}
	p.send(w, e.Status, body)
}

// queryCode tells older clients the code they know.
func queryCode(w http.ResponseWriter, e *Error) {
	if e.QueryCode != "" {
		w.Header().Set("X-Amzn-Query-Error", e.QueryCode+";"+fault(e))
	}
}

// AsError is err as an AWS error.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Status: 500, Code: "InternalFailure", Message: err.Error()}
}

func errorTree(e *Error) map[string]any {
	out := map[string]any{"__type": e.Code, "message": e.Message}
	for k, v := range e.Members {
		out[k] = v
	}
	return out
}

func fault(e *Error) string {
	if e.Status >= 500 {
		return "Receiver"
	}
	return "Sender"
}

func (p Reply) queryError(e *Error) []byte {
	code := e.QueryCode
	if code == "" {
		code = e.Code
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "<ErrorResponse xmlns=%q><Error>", p.Namespace)
	element(&out, "Type", fault(e))
	element(&out, "Code", code)
	element(&out, "Message", e.Message)
	fmt.Fprintf(&out, "</Error><RequestId>%s</RequestId></ErrorResponse>", p.RequestID)
	return out.Bytes()
}

func (p Reply) restError(e *Error) []byte {
	var out bytes.Buffer
	out.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<Error>")
	element(&out, "Code", e.Code)
	element(&out, "Message", e.Message)
	for _, k := range sortedKeys(e.Members) {
		element(&out, k, e.Members[k])
	}
	element(&out, "RequestId", p.RequestID)
	out.WriteString("</Error>")
	return out.Bytes()
}
