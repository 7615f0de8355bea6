package lambda

import (
	"encoding/json"
	"time"
)

// configure applies what a call said to a mapping and checks the whole.
func (s *Service) configure(m *mapping, in mappingInput) error {
	if in.FunctionName != "" {
		ref, err := s.parseReference(in.FunctionName, "")
		if err != nil {
			return err
		}
		m.function = ref
	}
	if m.function.name == "" {
		return constraint("null", "functionName", "Member must not be null")
	}
	f := s.functions[m.function.name]
	if f == nil {
		return invalid("Function does not exist")
	}
	v, err := s.version(f, m.function.qualifier)
	if err != nil {
		return err
	}
	m.config.merge(in.mappingConfig)
	if m.service() == "sqs" {
		m.config.queueDefaults()
	} else {
		m.config.streamDefaults()
	}
	if m.config.FilterCriteria != nil && len(m.config.FilterCriteria.Filters) == 0 {
		m.config.FilterCriteria = nil // an empty one clears
	}
	if c := m.config.ScalingConfig; c != nil && c.MaximumConcurrency == nil {
		m.config.ScalingConfig = nil
	}
	if m.filter, err = parseFilters(m.config.FilterCriteria); err != nil {
		return err
	}
	switch m.service() {
	case "sqs":
		return s.checkQueueMapping(m, v)
	case "kinesis", "dynamodb":
		return s.checkStreamMapping(m, v)
	}
	return nil
}

func (c *mappingConfig) merge(in mappingConfig) {
	for _, p := range []struct{ to, with **int }{
		{&c.BatchSize, &in.BatchSize}, {&c.MaximumBatchingWindowInSeconds, &in.MaximumBatchingWindowInSeconds},
		{&c.ParallelizationFactor, &in.ParallelizationFactor}, {&c.MaximumRecordAgeInSeconds, &in.MaximumRecordAgeInSeconds},
		{&c.MaximumRetryAttempts, &in.MaximumRetryAttempts}, {&c.TumblingWindowInSeconds, &in.TumblingWindowInSeconds},
	} {
		keep(p.to, *p.with)
	}
	keep(&c.FilterCriteria, in.FilterCriteria)
	keep(&c.BisectBatchOnFunctionError, in.BisectBatchOnFunctionError)
	keep(&c.FunctionResponseTypes, in.FunctionResponseTypes)
	keep(&c.ScalingConfig, in.ScalingConfig)
	for _, p := range []struct {
		to   *json.RawMessage
		with json.RawMessage
	}{
		{&c.DestinationConfig, in.DestinationConfig}, {&c.SourceAccessConfigurations, in.SourceAccessConfigurations},
		{&c.DocumentDBEventSourceConfig, in.DocumentDBEventSourceConfig}, {&c.MetricsConfig, in.MetricsConfig},
		{&c.LoggingConfig, in.LoggingConfig}, {&c.ProvisionedPollerConfig, in.ProvisionedPollerConfig},
	} {
		if p.with != nil {
			*p.to = p.with
		}
	}
	if in.KMSKeyArn != "" {
		c.KMSKeyArn = in.KMSKeyArn
	}
}

func keep[T any](to **T, with *T) {
	if with != nil {
		*to = with
	}
}

func fallback[T any](to **T, value T) {
	if *to == nil {
		*to = &value
	}
}

func (c *mappingConfig) queueDefaults() {
	fallback(&c.BatchSize, 10)
	fallback(&c.MaximumBatchingWindowInSeconds, 0)
	fallback(&c.FunctionResponseTypes, []string{})
}

func (c *mappingConfig) streamDefaults() {
	fallback(&c.BatchSize, 100)
	fallback(&c.MaximumBatchingWindowInSeconds, 0)
	fallback(&c.ParallelizationFactor, 1)
	fallback(&c.MaximumRecordAgeInSeconds, -1)
	fallback(&c.MaximumRetryAttempts, -1)
	fallback(&c.TumblingWindowInSeconds, 0)
	fallback(&c.BisectBatchOnFunctionError, false)
	fallback(&c.FunctionResponseTypes, []string{})
	if c.DestinationConfig == nil {
		c.DestinationConfig = json.RawMessage(`{"OnFailure":{}}`)
	}
}

// checkQueueMapping are AWS's rules for an SQS source.
func (s *Service) checkQueueMapping(m *mapping, v *version) error {
	batch, window := *m.config.BatchSize, *m.config.MaximumBatchingWindowInSeconds
	if batch < 1 || batch > 10000 {
		return constraint(batch, "batchSize", "Member must have value between 1 and 10000")
	}
	if window < 0 || window > 300 {
		return constraint(window, "maximumBatchingWindowInSeconds", "Member must have value between 0 and 300")
	}
	if batch > 10 && window == 0 {
		return invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")
	}
	for _, t := range *m.config.FunctionResponseTypes {
		if t != "ReportBatchItemFailures" {
			return constraint("["+t+"]", "functionResponseTypes", "Member must satisfy constraint: [Member must satisfy enum value set: [ReportBatchItemFailures]]")
		}
	}
	if c := m.config.ScalingConfig; c != nil && (*c.MaximumConcurrency < 2 || *c.MaximumConcurrency > 1000) {
		return constraint(*c.MaximumConcurrency, "scalingConfig.maximumConcurrency", "Member must have value between 2 and 1000")
	}
	if m.startingPosition != "" {
		return invalid("StartingPosition is not valid for SQS event sources.")
	}
	if s.opts.Queues == nil || !s.opts.Queues.Exists(m.source) {
		return invalid("Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.")
	}
	if visibility, known := s.opts.Queues.VisibilityTimeout(m.source); known && visibility < time.Duration(v.Timeout)*time.Second {
		return invalid("Queue visibility timeout: %d seconds is less than Function timeout: %d seconds", int(visibility/time.Second), v.Timeout)
	}
	return s.checkPollerRole(v.Role)
}

func (s *Service) checkPollerRole(role string) error {
	if s.opts.Roles == nil {
		return nil
	}
	for _, action := range []string{"ReceiveMessage", "DeleteMessage", "GetQueueAttributes"} {
		if !s.opts.Roles.Allows(role, "sqs:"+action) {
			return invalid("The function execution role does not have permissions to call %s on SQS", action)
		}
	}
	return nil
}

// checkNew are the rules that hold only when a mapping is made.
func (s *Service) checkNew(m *mapping) error {
	switch service := m.service(); service {
	case "sqs":
	case "kinesis", "dynamodb":
		if m.startingPosition == "" {
			return invalid("1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.")
		}
		m.lastResult = "No records processed"
		if err := s.begin(m); err != nil {
			return err
		}
	case "":
		if m.fixed["SelfManagedEventSource"] == nil {
			return invalid("Unrecognized event source.")
		}
	case "kafka", "mq", "docdb", "rds":
	default:
		return invalid("Unrecognized event source, must be kinesis, dynamodb stream or sqs. Unsupported source arn %s", m.source)
	}
	return s.unique(m)
}
