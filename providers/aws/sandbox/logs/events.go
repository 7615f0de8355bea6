package logs

import (
	"context"
	"strconv"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

type filterInput struct {
	LogGroupName       string `wire:"logGroupName"`
	LogGroupIdentifier string `wire:"logGroupIdentifier"`
	StartTime          *int64 `wire:"startTime"`
	EndTime            *int64 `wire:"endTime"`
	Pattern            string `wire:"filterPattern"`
	Limit              *int   `wire:"limit"`
	NextToken          string `wire:"nextToken"`
}

type eventOutput struct {
	ID        string `wire:"eventId"`
	Stream    string `wire:"logStreamName"`
	Timestamp int64  `wire:"timestamp"`
	Ingestion int64  `wire:"ingestionTime"`
	Message   string `wire:"message"`
}

type filterOutput struct {
	Events    []eventOutput `wire:"events"`
	NextToken string        `wire:"nextToken"`
}

const functionLogs = "/aws/lambda/"

// filter lists the lines of a function's log group; the pattern is taken as a
// plain text to contain.
func (s *Service) filter(_ context.Context, _ *wire.Call, in *filterInput) (filterOutput, error) {
	name := in.LogGroupName
	if _, tail, ok := strings.Cut(in.LogGroupIdentifier, ":log-group:"); ok {
		name = strings.TrimSuffix(tail, ":*")
	}
	function, isFunction := strings.CutPrefix(name, functionLogs)
	var lines []Line
	if isFunction && s.options.Lines != nil {
		lines = s.options.Lines(function)
	}
	s.mu.Lock()
	_, err := s.find(name)
	s.mu.Unlock()
	if err != nil && lines == nil {
		return filterOutput{}, err
	}
	limit, start := 10_000, 0
	if in.Limit != nil {
		limit = *in.Limit
	}
	if in.NextToken != "" {
		if start, err = strconv.Atoi(in.NextToken); err != nil {
			return filterOutput{}, fail("InvalidParameterException", "The nextToken is not valid.")
		}
	}
	out := filterOutput{Events: []eventOutput{}}
	for i, line := range lines {
		if i < start || !in.wants(line) {
			continue
		}
		if len(out.Events) == limit {
			out.NextToken = strconv.Itoa(i)
			break
		}
		at := line.At.UnixMilli()
		out.Events = append(out.Events, eventOutput{ID: strconv.Itoa(i), Stream: "sandbox", Timestamp: at, Ingestion: at, Message: line.Text})
	}
	return out, nil
}

func (in *filterInput) wants(line Line) bool {
	at := line.At.UnixMilli()
	return (in.StartTime == nil || at >= *in.StartTime) && (in.EndTime == nil || at <= *in.EndTime) &&
		strings.Contains(line.Text, strings.Trim(in.Pattern, `"`))
}
