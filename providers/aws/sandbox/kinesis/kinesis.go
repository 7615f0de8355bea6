// Package kinesis is the sandbox's Kinesis Data Streams: streams of shards,
// records put by key, and readers that hold iterators; event source mappings
// read them too. It refuses resharding, consumers of their own (enhanced
// fan-out) and encryption.
package kinesis

import (
	"context"
	"crypto/md5" //nolint:gosec // how Kinesis spreads keys
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
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
	if in.StreamModeDetails != nil && in.StreamModeDetails.StreamMode == "ON_DEMAND" {
		mode, shards = "ON_DEMAND", 4
	}
	if in.ShardCount != nil {
		shards = *in.ShardCount
	}
	if in.StreamName == "" || shards < 1 || shards > 500 {
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

type shard struct {
	ShardId             string
	HashKeyRange        hashRange
	SequenceNumberRange sequenceRange
}

type hashRange struct{ StartingHashKey, EndingHashKey string }

type sequenceRange struct{ StartingSequenceNumber, EndingSequenceNumber string }

func (d *dataStream) shards() []shard {
	out := []shard{}
	n := d.log.Shards()
	for i := range n {
		step := ^uint64(0)/uint64(n) + 1 // of the upper half of the hash
		out = append(out, shard{
			ShardId: shardName(i), SequenceNumberRange: sequenceRange{StartingSequenceNumber: stream.Sequence(1)},
			HashKeyRange: hashRange{strconv.FormatUint(uint64(i)*step, 10), strconv.FormatUint(uint64(i)*step+step-1, 10)},
		})
	}
	return out
}

func shardName(i int) string { return fmt.Sprintf("shardId-%012d", i) }

type metrics struct{ ShardLevelMetrics []string }

type description struct {
	StreamName, StreamARN, StreamStatus, EncryptionType string
	StreamModeDetails                                   modeDetails
	RetentionPeriodHours                                int
	StreamCreationTimestamp                             time.Time
	EnhancedMonitoring                                  []metrics
	Shards                                              []shard
	HasMoreShards                                       *bool
	OpenShardCount                                      *int
}

type descriptionOutput struct{ StreamDescription, StreamDescriptionSummary *description }

func (s *Service) show(in *input) (*description, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.find(in)
	if err != nil {
		return nil, err
	}
	status := "ACTIVE"
	if s.options.Now().Before(d.created.Add(s.options.Updating)) {
		status = "CREATING"
	}
	return &description{
		StreamName: d.name, StreamARN: d.arn, StreamStatus: status, EncryptionType: "NONE", StreamModeDetails: modeDetails{d.mode},
		RetentionPeriodHours: d.hours, StreamCreationTimestamp: d.created, EnhancedMonitoring: []metrics{{ShardLevelMetrics: []string{}}}, Shards: d.shards(),
	}, nil
}

func (s *Service) describe(_ context.Context, _ *wire.Call, in *input) (descriptionOutput, error) {
	d, err := s.show(in)
	if err != nil {
		return descriptionOutput{}, err
	}
	d.HasMoreShards = new(bool)
	return descriptionOutput{StreamDescription: d}, nil
}

func (s *Service) summary(_ context.Context, _ *wire.Call, in *input) (descriptionOutput, error) {
	d, err := s.show(in)
	if err != nil {
		return descriptionOutput{}, err
	}
	open := len(d.Shards)
	d.Shards, d.OpenShardCount = nil, &open
	return descriptionOutput{StreamDescriptionSummary: d}, nil
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

type shardsOutput struct{ Shards []shard }

func (s *Service) listShards(_ context.Context, _ *wire.Call, in *input) (shardsOutput, error) {
	d, err := s.show(in)
	if err != nil {
		return shardsOutput{}, err
	}
	return shardsOutput{d.Shards}, nil
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

func (s *Service) addTags(_ context.Context, _ *wire.Call, in *input) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.find(in)
	if err != nil {
		return wire.None{}, err
	}
	maps.Copy(d.tags, in.Tags)
	return wire.None{}, nil
}

func (s *Service) removeTags(_ context.Context, _ *wire.Call, in *input) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.find(in)
	if err != nil {
		return wire.None{}, err
	}
	for _, key := range in.TagKeys {
		delete(d.tags, key)
	}
	return wire.None{}, nil
}

type tag struct{ Key, Value string }

type tagsOutput struct {
	Tags        []tag
	HasMoreTags bool
}

func (s *Service) listTags(_ context.Context, _ *wire.Call, in *input) (tagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.find(in)
	if err != nil {
		return tagsOutput{}, err
	}
	out := tagsOutput{Tags: []tag{}}
	for _, key := range slices.Sorted(maps.Keys(d.tags)) {
		out.Tags = append(out.Tags, tag{key, d.tags[key]})
	}
	return out, nil
}

type putOutput struct {
	ShardId, SequenceNumber string
}

// put adds a record to the shard its key belongs to.
func (s *Service) put(d *dataStream, e entry) putOutput {
	sum := md5.Sum([]byte(e.PartitionKey)) //nolint:gosec // how Kinesis spreads keys
	n := d.log.Shards()
	to := int(binary.BigEndian.Uint64(sum[:8]) / (^uint64(0)/uint64(n) + 1))
	if n == 1 {
		to = 0
	}
	r := d.log.Append(to, func(position int64, at time.Time) (map[string]any, any) {
		sequence := stream.Sequence(position)
		return map[string]any{
			"eventID": shardName(to) + ":" + sequence, "eventName": "aws:kinesis:record", "eventVersion": "1.0", "eventSource": "aws:kinesis",
			"eventSourceARN": d.arn, "awsRegion": s.options.Region,
			"kinesis": map[string]any{
				"kinesisSchemaVersion": "1.0", "partitionKey": e.PartitionKey, "sequenceNumber": sequence,
				"data": base64.StdEncoding.EncodeToString(e.Data), "approximateArrivalTimestamp": float64(at.UnixMilli()) / 1000,
			},
		}, e
	})
	return putOutput{ShardId: shardName(to), SequenceNumber: r.Sequence()}
}

func (s *Service) putRecord(_ context.Context, _ *wire.Call, in *input) (putOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.find(in)
	if err != nil {
		return putOutput{}, err
	}
	if in.PartitionKey == "" || len(in.Data) > 1<<20 {
		return putOutput{}, fail("ValidationException", "a record has a PartitionKey, and 1 MiB of Data at most")
	}
	return s.put(d, entry{Data: in.Data, PartitionKey: in.PartitionKey}), nil
}

type putManyOutput struct {
	FailedRecordCount int
	Records           []putOutput
}

func (s *Service) putRecords(_ context.Context, _ *wire.Call, in *input) (putManyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.find(in)
	if err != nil {
		return putManyOutput{}, err
	}
	if len(in.Records) == 0 || len(in.Records) > 500 {
		return putManyOutput{}, fail("ValidationException", "one call takes 1 to 500 records")
	}
	out := putManyOutput{}
	for _, e := range in.Records {
		out.Records = append(out.Records, s.put(d, e))
	}
	return out, nil
}

type iteratorOutput struct{ ShardIterator string }

func (s *Service) iterator(_ context.Context, _ *wire.Call, in *input) (iteratorOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.find(in)
	if err != nil {
		return iteratorOutput{}, err
	}
	shard, err := strconv.Atoi(strings.TrimPrefix(in.ShardId, "shardId-"))
	if err != nil || shard < 0 || shard >= d.log.Shards() {
		return iteratorOutput{}, fail("ResourceNotFoundException", "Shard %s in stream %s under account %s does not exist", in.ShardId, d.name, s.options.Account)
	}
	at, _ := strconv.ParseInt(in.StartingSequenceNumber, 10, 64)
	switch in.ShardIteratorType {
	case "TRIM_HORIZON":
		at = 0
	case "LATEST":
		at = d.log.Last(shard)
	case "AT_SEQUENCE_NUMBER":
		at--
	case "AFTER_SEQUENCE_NUMBER":
	case "AT_TIMESTAMP":
		if in.Timestamp == nil {
			return iteratorOutput{}, fail("InvalidArgumentException", "AT_TIMESTAMP needs a Timestamp")
		}
		at = d.log.Before(shard, *in.Timestamp)
	default:
		return iteratorOutput{}, fail("InvalidArgumentException", "ShardIteratorType %q is not known", in.ShardIteratorType)
	}
	return iteratorOutput{fmt.Sprintf("%s|%d|%d", d.name, shard, at)}, nil
}

type record struct {
	Data                         []byte
	PartitionKey, SequenceNumber string
	ApproximateArrivalTimestamp  time.Time
}

type recordsOutput struct {
	Records            []record
	NextShardIterator  string
	MillisBehindLatest int
}

func (s *Service) records(_ context.Context, _ *wire.Call, in *input) (recordsOutput, error) {
	parts := strings.Split(in.ShardIterator, "|")
	if len(parts) != 3 {
		return recordsOutput{}, fail("InvalidArgumentException", "Invalid ShardIterator.")
	}
	shard, err1 := strconv.Atoi(parts[1])
	at, err2 := strconv.ParseInt(parts[2], 10, 64)
	s.mu.Lock()
	d, err := s.find(&input{StreamName: parts[0]})
	s.mu.Unlock()
	if err != nil || err1 != nil || err2 != nil || shard >= d.log.Shards() {
		return recordsOutput{}, fail("ExpiredIteratorException", "Iterator expired.")
	}
	limit := 10000
	if in.Limit != nil {
		limit = *in.Limit
	}
	out := recordsOutput{Records: []record{}}
	for _, r := range d.log.Read(context.Background(), shard, at, limit, 0) {
		e, _ := r.Value.(entry)
		out.Records = append(out.Records, record{Data: e.Data, PartitionKey: e.PartitionKey, SequenceNumber: r.Sequence(), ApproximateArrivalTimestamp: r.At})
		at = r.Position
	}
	out.NextShardIterator = fmt.Sprintf("%s|%d|%d", d.name, shard, at)
	return out, nil
}

// Tagged is the tags of every stream, by ARN.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[string]string{}
	for _, d := range s.streams {
		out[d.arn] = maps.Clone(d.tags)
	}
	return out
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
