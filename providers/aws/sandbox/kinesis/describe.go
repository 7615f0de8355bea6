package kinesis

import (
	"context"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

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

type limitsOutput struct {
	ShardLimit, OpenShardCount                    int
	OnDemandStreamCount, OnDemandStreamCountLimit int
}

func (s *Service) limits(_ context.Context, _ *wire.Call, _ *input) (limitsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := limitsOutput{ShardLimit: shardLimit, OnDemandStreamCountLimit: 50}
	for _, d := range s.streams {
		if d.mode == onDemand {
			out.OnDemandStreamCount++
		} else {
			out.OpenShardCount += d.log.Shards()
		}
	}
	return out, nil
}
