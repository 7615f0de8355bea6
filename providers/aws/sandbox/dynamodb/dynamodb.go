// Package dynamodb is the sandbox's DynamoDB: tables with AWS's awkward
// control plane (states in between, one index at a time, a stream that is
// another one when it is switched on again, expiry that cannot be switched
// twice within an hour), items with conditions, queries and updates, and
// streams that feed event source mappings and answer DynamoDB Streams.
//
// It refuses what it does not do: batches, transactions, PartiQL, global
// tables, backups, lists inside document paths. Expiry is a setting: no item
// ever expires. Capacity is not counted, and encryption is a word.
package dynamodb

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/stream"
	"mooring.dev/providers/aws/sandbox/wire"
)

// Options are the service's place and time.
type Options struct {
	Now      func() time.Time
	Account  string
	Region   string
	Updating time.Duration // how long every state in between lasts
}

// Service is one account's tables in one region.
type Service struct {
	*wire.Model
	options Options

	mu     sync.Mutex
	tables map[string]*table
	logs   map[string]*tableStream // by ARN, of tables that are gone too
}

// New makes a service without tables.
func New(o Options) *Service {
	s := &Service{options: o, tables: map[string]*table{}, logs: map[string]*tableStream{}}
	s.Model = &wire.Model{
		Signing: "dynamodb",
		Hidden:  []string{"Item", "ExpressionAttributeValues"},
		Operations: map[string]wire.Operation{
			"CreateTable":               wire.Op(s.createTable),
			"DescribeTable":             wire.Op(s.describeTable),
			"UpdateTable":               wire.Op(s.updateTable),
			"DeleteTable":               wire.Op(s.deleteTable),
			"ListTables":                wire.Op(s.listTables),
			"DescribeTimeToLive":        wire.Op(s.describeTTL),
			"UpdateTimeToLive":          wire.Op(s.updateTTL),
			"DescribeContinuousBackups": wire.Op(s.describeBackups),
			"UpdateContinuousBackups":   wire.Op(s.updateBackups),
			"TagResource":               wire.Op(s.tag),
			"UntagResource":             wire.Op(s.untag),
			"ListTagsOfResource":        wire.Op(s.listTags),
			"PutItem":                   wire.Op(s.putItem),
			"GetItem":                   wire.Op(s.getItem),
			"DeleteItem":                wire.Op(s.deleteItem),
			"UpdateItem":                wire.Op(s.updateItem),
			"Query":                     wire.Op(s.query),
			"Scan":                      wire.Op(s.scan),
			"ListStreams":               wire.Op(s.listStreams),
			"DescribeStream":            wire.Op(s.describeStream),
			"GetShardIterator":          wire.Op(s.shardIterator),
			"GetRecords":                wire.Op(s.records),
		},
	}
	return s
}

func invalid(format string, args ...any) *wire.Error {
	return &wire.Error{Status: 400, Code: "ValidationException", Message: fmt.Sprintf(format, args...)}
}

func fail(code, format string, args ...any) *wire.Error {
	return &wire.Error{Status: 400, Code: code, Message: fmt.Sprintf(format, args...)}
}

// find is a table by name or ARN; the caller holds the lock.
func (s *Service) find(name string) (*table, error) {
	if i := strings.Index(name, ":table/"); i >= 0 {
		name, _, _ = strings.Cut(name[i+len(":table/"):], "/")
	}
	t := s.tables[name]
	if t != nil && t.gone(s.options.Now()) {
		delete(s.tables, name)
		t = nil
	}
	if t == nil {
		return nil, fail("ResourceNotFoundException", "Requested resource not found: Table: %s not found", name)
	}
	return t, nil
}

// resting is a table that may be changed.
func (s *Service) resting(name string) (*table, error) {
	t, err := s.find(name)
	if err == nil && t.status(s.options.Now()) != active {
		return nil, fail("ResourceInUseException", "Attempt to change a resource which is still in use: Table is being updated: %s", t.name)
	}
	return t, err
}

func (s *Service) arn(name string) string {
	return "arn:aws:dynamodb:" + s.options.Region + ":" + s.options.Account + ":table/" + name
}

// Tagged is the tags of every table, by ARN.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[string]string{}
	for name, t := range s.tables {
		if t.gone(s.options.Now()) {
			continue
		}
		tags := map[string]string{}
		for k, v := range t.tags {
			tags[k] = v
		}
		out[s.arn(name)] = tags
	}
	return out
}

// Stream is the stream with that ARN, with its records as functions are handed
// them; nil when there is none.
func (s *Service) Stream(arn string) *stream.Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.logs[arn]; l != nil {
		return l.log
	}
	return nil
}
