package aws

import (
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// reading is how a mapping reads a stream.
type reading struct {
	position, timestamp string // timestamp in RFC 3339
	parallel            int
	bisect              bool
	retries, age        int // -1: no limit
	tumbling            int
	onFailure           string // ARN
}

// streamMappingMembers are the members of a mapping of a stream.
var streamMappingMembers = append(withoutScaling(), []member[mapping]{
	{"bisectBatchOnFunctionError", func(m *mapping) any { return m.reading.bisect }, func(d, s *mapping) { d.reading.bisect = s.reading.bisect }},
	{"destinationConfig.onFailure.destination", func(m *mapping) any { return m.reading.onFailure }, func(d, s *mapping) { d.reading.onFailure = s.reading.onFailure }},
	{"maximumRecordAgeInSeconds", func(m *mapping) any { return m.reading.age }, func(d, s *mapping) { d.reading.age = s.reading.age }},
	{"maximumRetryAttempts", func(m *mapping) any { return m.reading.retries }, func(d, s *mapping) { d.reading.retries = s.reading.retries }},
	{"parallelizationFactor", func(m *mapping) any { return m.reading.parallel }, func(d, s *mapping) { d.reading.parallel = s.reading.parallel }},
	{"startingPosition", func(m *mapping) any { return m.reading.position }, func(d, s *mapping) { d.reading.position = s.reading.position }},
	{"startingPositionTimestamp", func(m *mapping) any { return m.reading.timestamp }, func(d, s *mapping) { d.reading.timestamp = s.reading.timestamp }},
	{"tumblingWindowInSeconds", func(m *mapping) any { return m.reading.tumbling }, func(d, s *mapping) { d.reading.tumbling = s.reading.tumbling }},
}...)

// withoutScaling: only queues are scaled.
func withoutScaling() []member[mapping] {
	var out []member[mapping]
	for _, m := range mappingMembers {
		if m.path != "scalingConfig.maximumConcurrency" {
			out = append(out, m)
		}
	}
	return out
}

func declaredReading(spec *manifest.TriggerSpec, b *builder) *reading {
	if !spec.OfStream() {
		return nil
	}
	r := &reading{
		position: spec.StartingPosition, timestamp: spec.StartingPositionTimestamp, parallel: orElse(spec.ParallelizationFactor, 1),
		bisect: spec.BisectBatchOnFunctionError, retries: -1, age: orElse(spec.MaximumRecordAgeInSeconds, -1), tumbling: spec.TumblingWindowInSeconds,
	}
	if spec.MaximumRetryAttempts != nil {
		r.retries = *spec.MaximumRetryAttempts
	}
	if spec.OnFailure != nil {
		r.onFailure = b.value(*spec.OnFailure)
	}
	return r
}

// liveReading is nil for a queue's mapping, which has no starting position.
func liveReading(c *types.EventSourceMappingConfiguration) *reading {
	if c.StartingPosition == "" {
		return nil
	}
	r := &reading{
		position: string(c.StartingPosition), parallel: orElse(int(awssdk.ToInt32(c.ParallelizationFactor)), 1),
		bisect: awssdk.ToBool(c.BisectBatchOnFunctionError), retries: -1, age: orElse(int(awssdk.ToInt32(c.MaximumRecordAgeInSeconds)), -1),
		tumbling: int(awssdk.ToInt32(c.TumblingWindowInSeconds)),
	}
	if c.StartingPositionTimestamp != nil {
		r.timestamp = c.StartingPositionTimestamp.UTC().Format(time.RFC3339)
	}
	if c.MaximumRetryAttempts != nil {
		r.retries = int(*c.MaximumRetryAttempts)
	}
	if d := c.DestinationConfig; d != nil && d.OnFailure != nil {
		r.onFailure = awssdk.ToString(d.OnFailure.Destination)
	}
	return r
}

// create fills in what a new mapping reads its stream by.
func (r *reading) create(in *lambda.CreateEventSourceMappingInput) error {
	in.StartingPosition = types.EventSourcePosition(r.position)
	if r.timestamp != "" {
		at, err := time.Parse(time.RFC3339, r.timestamp)
		if err != nil {
			return providers.Errorf(providers.Invalid, "startingPositionTimestamp is no time: %q", r.timestamp)
		}
		in.StartingPositionTimestamp = &at
	}
	in.ParallelizationFactor = awssdk.Int32(int32(r.parallel))
	in.BisectBatchOnFunctionError = &r.bisect
	in.MaximumRetryAttempts = awssdk.Int32(int32(r.retries))
	in.MaximumRecordAgeInSeconds = awssdk.Int32(int32(r.age))
	if r.tumbling > 0 {
		in.TumblingWindowInSeconds = awssdk.Int32(int32(r.tumbling))
	}
	if r.onFailure != "" {
		in.DestinationConfig = r.destination()
	}
	return nil
}

// destination is sent empty to clear what is there.
func (r *reading) destination() *types.DestinationConfig {
	out := &types.DestinationConfig{OnFailure: &types.OnFailure{}}
	if r.onFailure != "" {
		out.OnFailure.Destination = &r.onFailure
	}
	return out
}

// update writes the member a path is of; other paths are not its business.
func (r *reading) update(in *lambda.UpdateEventSourceMappingInput, path string) error {
	switch path {
	case "eventSourceArn":
		return providers.Errorf(providers.Invalid, "the mapping reads another stream, and is not made anew by itself: that loses records or replays them. "+
			"Rename the trigger to have a new mapping beside it, or delete the old one by hand")
	case "startingPosition", "startingPositionTimestamp":
		return providers.Errorf(providers.Invalid, "%s is read only when a mapping is made: declare what it was made with, or rename the trigger", path)
	case "bisectBatchOnFunctionError":
		in.BisectBatchOnFunctionError = &r.bisect
	case "destinationConfig.onFailure.destination":
		in.DestinationConfig = r.destination()
	case "maximumRecordAgeInSeconds":
		in.MaximumRecordAgeInSeconds = awssdk.Int32(int32(r.age))
	case "maximumRetryAttempts":
		in.MaximumRetryAttempts = awssdk.Int32(int32(r.retries))
	case "parallelizationFactor":
		in.ParallelizationFactor = awssdk.Int32(int32(r.parallel))
	case "tumblingWindowInSeconds":
		in.TumblingWindowInSeconds = awssdk.Int32(int32(r.tumbling))
	}
	return nil
}
