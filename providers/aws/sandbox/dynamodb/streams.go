package dynamodb

import (
	"context"
	"strconv"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/stream"
	"mooring.dev/providers/aws/sandbox/wire"
)

// tableStream is one stream of a table. Switched off and on again, the table
// has another one.
type tableStream struct {
	table, arn, label, view string
	key                     keySchema
	created                 time.Time
	log                     *stream.Log
}

var views = map[string]bool{"NEW_AND_OLD_IMAGES": true, "NEW_IMAGE": true, "OLD_IMAGE": true, "KEYS_ONLY": true}

func (s *Service) openStream(t *table, view string) error {
	if !views[view] {
		return invalid("One or more parameter values were invalid: StreamViewType must be specified when StreamEnabled is true")
	}
	now := s.options.Now()
	label := now.UTC().Format("2006-01-02T15:04:05.000")
	for n := 1; s.logs[s.arn(t.name)+"/stream/"+label] != nil; n++ { // no two streams share a label
		label = now.Add(time.Duration(n) * time.Millisecond).UTC().Format("2006-01-02T15:04:05.000")
	}
	t.stream = &tableStream{
		table: t.name, arn: s.arn(t.name) + "/stream/" + label, label: label, view: view, key: t.key, created: now, log: stream.New(s.options.Now, 1),
	}
	t.lastStream = t.stream
	s.logs[t.stream.arn] = t.stream
	return nil
}

// tell puts a change of an item on the table's stream.
func (s *Service) tell(t *table, before, after item) {
	if t.stream == nil || same(before, after) {
		return
	}
	name, keys := "MODIFY", after
	switch {
	case before == nil:
		name = "INSERT"
	case after == nil:
		name, keys = "REMOVE", before
	}
	view, arn := t.stream.view, t.stream.arn
	t.stream.log.Append(0, func(position int64, at time.Time) (map[string]any, any) {
		body := map[string]any{
			"ApproximateCreationDateTime": float64(at.Unix()), "Keys": plain(t.keyOf(keys)),
			"SequenceNumber": stream.Sequence(position), "SizeBytes": size(before) + size(after), "StreamViewType": view,
		}
		if after != nil && strings.HasPrefix(view, "NEW") {
			body["NewImage"] = plain(after)
		}
		if before != nil && strings.Contains(view, "OLD") {
			body["OldImage"] = plain(before)
		}
		event := map[string]any{
			"eventID": wire.NewID(), "eventName": name, "eventVersion": "1.1", "eventSource": "aws:dynamodb",
			"awsRegion": s.options.Region, "dynamodb": body,
		}
		handed := map[string]any{"eventSourceARN": arn}
		for k, v := range event {
			handed[k] = v
		}
		return handed, event
	})
}

func size(i item) int {
	n := 0
	for name := range i {
		n += len(name) + 8
	}
	return n
}

const shardID = "shardId-00000000000000000001-00000001"

type streamInput struct {
	StreamArn, TableName, ShardId, ShardIteratorType, SequenceNumber, ShardIterator string
	Limit                                                                           *int
}

type streamEntry struct{ StreamArn, StreamLabel, TableName string }

type streamsOutput struct{ Streams []streamEntry }

func (s *Service) listStreams(_ context.Context, _ *wire.Call, in *streamInput) (streamsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := streamsOutput{Streams: []streamEntry{}}
	for _, arn := range sortedKeys(s.logs) {
		if l := s.logs[arn]; in.TableName == "" || l.table == in.TableName {
			out.Streams = append(out.Streams, streamEntry{arn, l.label, l.table})
		}
	}
	return out, nil
}

type sequenceRange struct{ StartingSequenceNumber, EndingSequenceNumber string }

type shardEntry struct {
	ShardId             string
	SequenceNumberRange sequenceRange
}

type streamDescription struct {
	StreamArn, StreamLabel, StreamStatus, StreamViewType, TableName string
	CreationRequestDateTime                                         time.Time
	KeySchema                                                       keySchema
	Shards                                                          []shardEntry
}

type streamOutput struct{ StreamDescription streamDescription }

func (s *Service) findStream(arn string) (*tableStream, error) {
	if l := s.logs[arn]; l != nil {
		return l, nil
	}
	return nil, fail("ResourceNotFoundException", "Requested resource not found: Stream: %s not found", arn)
}

func (s *Service) describeStream(_ context.Context, _ *wire.Call, in *streamInput) (streamOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.findStream(in.StreamArn)
	if err != nil {
		return streamOutput{}, err
	}
	status := "DISABLED"
	if t := s.tables[l.table]; t != nil && t.stream == l {
		status = "ENABLED"
	}
	return streamOutput{streamDescription{
		StreamArn: l.arn, StreamLabel: l.label, StreamStatus: status, StreamViewType: l.view, TableName: l.table,
		CreationRequestDateTime: l.created, KeySchema: l.key,
		Shards: []shardEntry{{shardID, sequenceRange{StartingSequenceNumber: stream.Sequence(1)}}},
	}}, nil
}

type iteratorOutput struct{ ShardIterator string }

func (s *Service) shardIterator(_ context.Context, _ *wire.Call, in *streamInput) (iteratorOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.findStream(in.StreamArn)
	if err != nil {
		return iteratorOutput{}, err
	}
	at, _ := strconv.ParseInt(in.SequenceNumber, 10, 64)
	switch in.ShardIteratorType {
	case "TRIM_HORIZON":
		at = 0
	case "LATEST":
		at = l.log.Last(0)
	case "AT_SEQUENCE_NUMBER":
		at--
	case "AFTER_SEQUENCE_NUMBER":
	default:
		return iteratorOutput{}, invalid("ShardIteratorType is not one of TRIM_HORIZON, LATEST, AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER")
	}
	return iteratorOutput{l.arn + "|" + strconv.FormatInt(at, 10)}, nil
}

type recordsOutput struct {
	Records           []map[string]any
	NextShardIterator string
}

func (s *Service) records(_ context.Context, _ *wire.Call, in *streamInput) (recordsOutput, error) {
	s.mu.Lock()
	arn, at, _ := strings.Cut(in.ShardIterator, "|")
	l, err := s.findStream(arn)
	s.mu.Unlock()
	if err != nil {
		return recordsOutput{}, err
	}
	position, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return recordsOutput{}, invalid("Invalid ShardIterator")
	}
	limit := 1000
	if in.Limit != nil {
		limit = *in.Limit
	}
	out := recordsOutput{Records: []map[string]any{}}
	for _, r := range l.log.Read(context.Background(), 0, position, limit, 0) {
		event, _ := r.Value.(map[string]any)
		out.Records = append(out.Records, event)
		position = r.Position
	}
	out.NextShardIterator = arn + "|" + strconv.FormatInt(position, 10)
	return out, nil
}
