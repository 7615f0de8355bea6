package sqs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// defaults are the attributes every queue has.
var defaults = map[string]string{
	"VisibilityTimeout": "30", "MessageRetentionPeriod": "345600", "DelaySeconds": "0",
	"MaximumMessageSize": "1048576", "ReceiveMessageWaitTimeSeconds": "0", "SqsManagedSseEnabled": "true",
}

// bounds are the numeric attributes' limits.
var bounds = map[string][2]int{
	"VisibilityTimeout": {0, 43200}, "MessageRetentionPeriod": {60, 1209600}, "DelaySeconds": {0, 900},
	"MaximumMessageSize": {1024, 1048576}, "ReceiveMessageWaitTimeSeconds": {0, 20},
	"KmsDataKeyReusePeriodSeconds": {60, 86400},
}

// words are the attributes of fixed values.
var words = map[string][]string{
	"FifoQueue": {"true"}, "ContentBasedDeduplication": {"true", "false"}, "SqsManagedSseEnabled": {"true", "false"},
	"DeduplicationScope": {"messageGroup", "queue"}, "FifoThroughputLimit": {"perQueue", "perMessageGroupId"},
}

// documents are attributes whose value is a JSON document; an empty one takes
// the attribute away.
var documents = []string{"Policy", "RedrivePolicy", "RedriveAllowPolicy"}

func (s *Service) checkAttributes(attributes map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if err := checkAttribute(name, attributes[name]); err != nil {
			return err
		}
	}
	return nil
}

func checkAttribute(name, value string) error {
	invalid := fail("InvalidAttributeValue", "Invalid value for the parameter "+name+".")
	if limit, ok := bounds[name]; ok {
		if n, err := strconv.Atoi(value); err != nil || n < limit[0] || n > limit[1] {
			return invalid
		}
		return nil
	}
	if allowed, ok := words[name]; ok {
		if !slices.Contains(allowed, value) {
			return invalid
		}
		return nil
	}
	switch {
	case name == "KmsMasterKeyId":
		return nil
	case !slices.Contains(documents, name):
		return fail("InvalidAttributeName", "Unknown Attribute "+name+".")
	case value != "" && !json.Valid([]byte(value)):
		return invalid
	case name == "RedrivePolicy" && value != "":
		if r, err := parseRedrive(value); err != nil || r.Target == "" || r.max() < 1 || r.max() > 1000 {
			return fail("InvalidAttributeValue", "Value "+value+" for parameter RedrivePolicy is invalid. Reason: it needs deadLetterTargetArn and a maxReceiveCount between 1 and 1000.")
		}
	}
	return nil
}

// redrive is where messages go that were received too often.
type redrive struct {
	Target string `json:"deadLetterTargetArn"`
	// MaxReceiveCount is a number, or the text of one: AWS takes both.
	MaxReceiveCount any `json:"maxReceiveCount"`
}

func (r redrive) max() int {
	n, err := strconv.Atoi(fmt.Sprint(r.MaxReceiveCount))
	if err != nil {
		return 0
	}
	return n
}

func parseRedrive(document string) (redrive, error) {
	var r redrive
	err := json.Unmarshal([]byte(document), &r)
	return r, err
}

// set applies checked attributes.
func (q *queue) set(attributes map[string]string) {
	for name, value := range attributes {
		if value == "" {
			delete(q.attributes, name)
			continue
		}
		if slices.Contains(documents, name) {
			var compact bytes.Buffer
			if json.Compact(&compact, []byte(value)) == nil {
				value = compact.String()
			}
		}
		q.attributes[name] = value
	}
	q.dead = redrive{}
	if document := q.attributes["RedrivePolicy"]; document != "" {
		q.dead, _ = parseRedrive(document) // checked when it was given
	}
	if attributes["KmsMasterKeyId"] != "" {
		q.attributes["SqsManagedSseEnabled"] = "false"
	}
}

// differs names an attribute whose wanted value is not the queue's; "" if none.
func (q *queue) differs(want map[string]string) string {
	probe := &queue{attributes: map[string]string{}}
	probe.set(want)
	for _, name := range slices.Sorted(maps.Keys(probe.attributes)) {
		if q.attributes[name] != probe.attributes[name] {
			return name
		}
	}
	return ""
}

type attributesInput struct {
	QueueUrl       string
	AttributeNames []string
}

type attributesOutput struct{ Attributes map[string]string }

func (s *Service) getAttributes(_ context.Context, _ *wire.Call, in *attributesInput) (attributesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return attributesOutput{}, err
	}
	s.sweep(q)
	all := s.describe(q)
	out := map[string]string{}
	for _, name := range in.AttributeNames {
		if name == "All" {
			return attributesOutput{Attributes: all}, nil
		}
		if value, ok := all[name]; ok {
			out[name] = value
		} else if !known(name) {
			return attributesOutput{}, fail("InvalidAttributeName", "Unknown Attribute "+name+".")
		}
	}
	return attributesOutput{Attributes: out}, nil
}

func known(name string) bool {
	_, numeric := bounds[name]
	_, worded := words[name]
	return numeric || worded || slices.Contains(documents, name) || name == "KmsMasterKeyId"
}

func (s *Service) describe(q *queue) map[string]string {
	all := maps.Clone(q.attributes)
	waiting, inFlight, delayed := q.counts(s.options.Now())
	all["QueueArn"] = s.arn(q.name)
	all["CreatedTimestamp"] = unix(q.created)
	all["LastModifiedTimestamp"] = unix(q.modified)
	all["ApproximateNumberOfMessages"] = strconv.Itoa(waiting)
	all["ApproximateNumberOfMessagesNotVisible"] = strconv.Itoa(inFlight)
	all["ApproximateNumberOfMessagesDelayed"] = strconv.Itoa(delayed)
	return all
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

type setInput struct {
	QueueUrl   string
	Attributes map[string]string
}

func (s *Service) setAttributes(_ context.Context, _ *wire.Call, in *setInput) (wire.None, error) {
	if err := s.checkAttributes(in.Attributes); err != nil {
		return wire.None{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return wire.None{}, err
	}
	if in.Attributes["FifoQueue"] != "" && q.attributes["FifoQueue"] == "" {
		return wire.None{}, fail("InvalidAttributeValue", "You can specify the FifoQueue only during queue creation.")
	}
	q.set(in.Attributes)
	q.modified = s.options.Now()
	return wire.None{}, nil
}
