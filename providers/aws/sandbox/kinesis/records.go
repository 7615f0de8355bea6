package kinesis

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/stream"
	"mooring.dev/providers/aws/sandbox/wire"
)

type putOutput struct {
	ShardId, SequenceNumber string
}

// put adds a record to the shard its key belongs to.
func (s *Service) put(d *dataStream, e entry) (putOutput, error) {
	key, ok := e.hashKey()
	if !ok || e.PartitionKey == "" || len(e.Data) > 1<<20 {
		return putOutput{}, fail("ValidationException", "a record has a PartitionKey, a hash key of 128 bits if any, and 1 MiB of Data at most")
	}
	to := shardOf(key, d.log.Shards())
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
	return putOutput{ShardId: shardName(to), SequenceNumber: r.Sequence()}, nil
}

func (s *Service) putRecord(_ context.Context, _ *wire.Call, in *input) (putOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.find(in)
	if err != nil {
		return putOutput{}, err
	}
	return s.put(d, entry{Data: in.Data, PartitionKey: in.PartitionKey, ExplicitHashKey: in.ExplicitHashKey})
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
		made, err := s.put(d, e)
		if err != nil {
			return putManyOutput{}, err
		}
		out.Records = append(out.Records, made)
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
