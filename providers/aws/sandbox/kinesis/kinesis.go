// Package kinesis is the sandbox's Kinesis Data Streams: streams of shards,
// records put by key, and readers that hold iterators; event source mappings
// read them too. It refuses resharding, consumers of their own (enhanced
// fan-out) and encryption.
package kinesis

import (
	"context"
	"fmt"
	"maps"
	"slices"
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
	Updating time.Duration // how long a new stream is CREATING
}

// Service is one account's streams in one region.
type Service struct {
	*wire.Model
	options Options

	mu      sync.Mutex
	streams map[string]*dataStream
}

type dataStream struct {
	name, arn, mode string
	created         time.Time
	hours           int
	tags            map[string]string
	log             *stream.Log
}

// New makes a service without streams.
func New(o Options) *Service {
	s := &Service{options: o, streams: map[string]*dataStream{}}
	s.Model = &wire.Model{
		Signing: "kinesis",
		Hidden:  []string{"Data"},
		Operations: map[string]wire.Operation{
			"CreateStream":                  wire.Op(s.create),
			"DeleteStream":                  wire.Op(s.remove),
			"DescribeStream":                wire.Op(s.describe),
			"DescribeStreamSummary":         wire.Op(s.summary),
			"ListStreams":                   wire.Op(s.list),
			"DescribeLimits":                wire.Op(s.limits),
			"ListShards":                    wire.Op(s.listShards),
			"IncreaseStreamRetentionPeriod": wire.Op(s.retain),
			"DecreaseStreamRetentionPeriod": wire.Op(s.retain),
			"AddTagsToStream":               wire.Op(s.addTags),
			"RemoveTagsFromStream":          wire.Op(s.removeTags),
			"ListTagsForStream":             wire.Op(s.listTags),
			"PutRecord":                     wire.Op(s.putRecord),
			"PutRecords":                    wire.Op(s.putRecords),
			"GetShardIterator":              wire.Op(s.iterator),
			"GetRecords":                    wire.Op(s.records),
		},
	}
	return s
}

func fail(code, format string, args ...any) *wire.Error {
	return &wire.Error{Status: 400, Code: code, Message: fmt.Sprintf(format, args...)}
}

const (
	onDemand   = "ON_DEMAND"
	shardLimit = 500 // of one account in a region
)

type modeDetails struct{ StreamMode string }

type input struct {
	StreamName, StreamARN      string
	ShardCount                 *int
	StreamModeDetails          *modeDetails
	RetentionPeriodHours       *int
	Tags                       map[string]string
	TagKeys                    []string
	Data                       []byte
	PartitionKey               string
	ExplicitHashKey            string
	Records                    []entry
	ShardId, ShardIteratorType string
	StartingSequenceNumber     string
	Timestamp                  *time.Time
	ShardIterator              string
	Limit                      *int
	ExclusiveStartStreamName   string
}

type entry struct {
	Data                          []byte
	PartitionKey, ExplicitHashKey string
}

// find is a stream by name or ARN; the caller holds the lock.
func (s *Service) find(in *input) (*dataStream, error) {
	name := in.StreamName
	if name == "" {
		name = in.StreamARN[strings.LastIndexByte(in.StreamARN, '/')+1:]
	}
	if d := s.streams[name]; d != nil {
		return d, nil
	}
	return nil, fail("ResourceNotFoundException", "Stream %s under account %s not found.", name, s.options.Account)
}

func (s *Service) create(_ context.Context, _ *wire.Call, in *input) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[in.StreamName] != nil {
		return wire.None{}, fail("ResourceInUseException", "Stream %s under account %s already exists.", in.StreamName, s.options.Account)
	}
	mode, shards := "PROVISIONED", 1
	if in.StreamModeDetails != nil && in.StreamModeDetails.StreamMode == onDemand {
		mode, shards = onDemand, 4
	}
	if in.ShardCount != nil {
		shards = *in.ShardCount
	}
	if in.StreamName == "" || shards < 1 || shards > shardLimit {
		return wire.None{}, fail("ValidationException", "a stream needs a name and 1 to 500 shards")
	}
	tags := maps.Clone(in.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	s.streams[in.StreamName] = &dataStream{
		name: in.StreamName, mode: mode, created: s.options.Now(), hours: 24, tags: tags, log: stream.New(s.options.Now, shards),
		arn: "arn:aws:kinesis:" + s.options.Region + ":" + s.options.Account + ":stream/" + in.StreamName,
	}
	return wire.None{}, nil
}

func (s *Service) remove(_ context.Context, _ *wire.Call, in *input) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.find(in)
	if err != nil {
		return wire.None{}, err
	}
	d.log.End()
	delete(s.streams, d.name)
	return wire.None{}, nil
}

type listOutput struct {
	StreamNames    []string
	HasMoreStreams bool
}

func (s *Service) list(_ context.Context, _ *wire.Call, in *input) (listOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := listOutput{StreamNames: []string{}}
	for _, name := range slices.Sorted(maps.Keys(s.streams)) {
		if name <= in.ExclusiveStartStreamName {
			continue
		}
		if len(out.StreamNames) == 100 {
			out.HasMoreStreams = true
			break
		}
		out.StreamNames = append(out.StreamNames, name)
	}
	return out, nil
}

func (s *Service) retain(_ context.Context, _ *wire.Call, in *input) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.find(in)
	if err != nil {
		return wire.None{}, err
	}
	if in.RetentionPeriodHours == nil || *in.RetentionPeriodHours < 24 || *in.RetentionPeriodHours > 8760 {
		return wire.None{}, fail("InvalidArgumentException", "RetentionPeriodHours must be between 24 and 8760")
	}
	d.hours = *in.RetentionPeriodHours
	return wire.None{}, nil
}

// Stream is the stream with that ARN; nil when there is none.
func (s *Service) Stream(arn string) *stream.Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.streams {
		if d.arn == arn {
			return d.log
		}
	}
	return nil
}
