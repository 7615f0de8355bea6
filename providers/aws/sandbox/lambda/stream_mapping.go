package lambda

import (
	"encoding/json"
	"strings"
	"time"
)

// checkStreamMapping are AWS's rules for the source of a stream.
func (s *Service) checkStreamMapping(m *mapping, v *version) error {
	c := &m.config
	for _, rule := range []struct {
		name       string
		have       int
		least, top int
		also       int // a value outside that has a meaning of its own
	}{
		{"batchSize", *c.BatchSize, 1, 10000, 1},
		{"maximumBatchingWindowInSeconds", *c.MaximumBatchingWindowInSeconds, 0, 300, 0},
		{"parallelizationFactor", *c.ParallelizationFactor, 1, 10, 1},
		{"maximumRecordAgeInSeconds", *c.MaximumRecordAgeInSeconds, 60, 604800, -1},
		{"maximumRetryAttempts", *c.MaximumRetryAttempts, 0, 10000, -1},
		{"tumblingWindowInSeconds", *c.TumblingWindowInSeconds, 0, 900, 0},
	} {
		if rule.have != rule.also && (rule.have < rule.least || rule.have > rule.top) {
			return constraint(rule.have, rule.name, "Member must have value between "+itoa(rule.least)+" and "+itoa(rule.top))
		}
	}
	if c.ScalingConfig != nil {
		return invalid("ScalingConfig is only supported for SQS event sources.")
	}
	if s.opts.Roles == nil {
		return nil
	}
	for _, action := range []string{"GetRecords", "GetShardIterator", "DescribeStream"} {
		if !s.opts.Roles.Allows(v.Role, m.service()+":"+action) {
			return invalid("Cannot access stream %s. Please ensure the role can perform the GetRecords, GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM.", m.source)
		}
	}
	return nil
}

// begin fixes where a new mapping starts to read.
func (s *Service) begin(m *mapping) error {
	if s.opts.Streams == nil {
		return nil // nothing is ever read
	}
	log := s.opts.Streams.Stream(streamOf(m.source))
	if log == nil {
		return invalid("Stream not found: %s", m.source)
	}
	m.read = &positions{at: map[int]int64{}}
	for shard := range log.Shards() {
		switch m.startingPosition {
		case "TRIM_HORIZON":
		case "LATEST":
			m.read.at[shard] = log.Last(shard)
		case "AT_TIMESTAMP":
			var seconds float64
			if m.service() != "kinesis" || json.Unmarshal(m.startingTimestamp, &seconds) != nil {
				return invalid("Unsupported starting position for event source type. Please choose one of: LATEST, TRIM_HORIZON")
			}
			m.read.at[shard] = log.Before(shard, time.Unix(0, int64(seconds*1e9)))
		default:
			return constraint(m.startingPosition, "startingPosition", "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]")
		}
	}
	return nil
}

// streamOf is the stream an ARN means: a consumer's is its stream.
func streamOf(arn string) string {
	name, _, _ := strings.Cut(arn, "/consumer/")
	return name
}
