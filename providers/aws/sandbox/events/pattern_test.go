package events

import (
	"encoding/json"
	"testing"
)

const sampleEvent = `{"source":"aws.lambda","detail":{"eventName":"UpdateFunctionCode20150331v2","n":5,"readOnly":false,"ip":"10.0.0.7","tags":["a","b"],"actor":{"type":"IAMUser"}}}`

func TestPatterns(t *testing.T) {
	var event map[string]any
	if err := json.Unmarshal([]byte(sampleEvent), &event); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]bool{
		`{"source":["aws.lambda"]}`:                                      true,
		`{"source":["aws.sqs","aws.lambda"],"detail":{"n":[5]}}`:         true,
		`{"source":["aws.sqs"]}`:                                         false,
		`{"detail":{"eventName":[{"prefix":"UpdateFunction"}]}}`:         true,
		`{"detail":{"eventName":[{"prefix":"Create"}]}}`:                 false,
		`{"detail":{"eventName":[{"suffix":"v2"}]}}`:                     true,
		`{"detail":{"eventName":[{"wildcard":"Update*Code*"}]}}`:         true,
		`{"detail":{"errorCode":[{"exists":false}],"readOnly":[false]}}`: true,
		`{"detail":{"eventName":[{"exists":false}]}}`:                    false,
		`{"detail":{"actor":{"none":[{"exists":false}]}}}`:               true,
		`{"detail":{"absent":{"none":[{"exists":false}]}}}`:              true,
		`{"detail":{"n":[{"numeric":[">",1,"<=",5]}]}}`:                  true,
		`{"detail":{"n":[{"numeric":[">",5]}]}}`:                         false,
		`{"detail":{"ip":[{"cidr":"10.0.0.0/24"}]}}`:                     true,
		`{"detail":{"tags":["b"]}}`:                                      true,
		`{"detail":{"tags":["c"]}}`:                                      false,
		`{"source":[{"anything-but":["aws.sqs"]}]}`:                      true,
		`{"source":[{"anything-but":{"prefix":"aws."}}]}`:                false,
		`{"source":[{"equals-ignore-case":"AWS.Lambda"}]}`:               true,
		`{"$or":[{"source":["x"]},{"detail":{"n":[5]}}]}`:                true,
		`{"$or":[{"source":["x"]},{"detail":{"n":[6]}}]}`:                false,
		`{"detail":{"actor":["IAMUser"]}}`:                               false,
	} {
		p, err := ParsePattern(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		if got := p.Matches(event); got != want {
			t.Errorf("%s: %v", pattern, got)
		}
	}
}

func TestPatternsWithoutSenseAreRefused(t *testing.T) {
	for _, pattern := range []string{"", "{}", "[]", `{"source":"aws.lambda"}`, `{"source":[{"like":"x"}]}`, `{"source":[["x"]]}`} {
		if _, err := ParsePattern(pattern); err == nil {
			t.Errorf("%s was taken", pattern)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`{"detail":{"n":[{"numeric":[">",1]}]}}`, sampleEvent)
	f.Fuzz(func(_ *testing.T, pattern, text string) {
		var event map[string]any
		if json.Unmarshal([]byte(text), &event) != nil {
			return
		}
		if p, err := ParsePattern(pattern); err == nil {
			p.Matches(event)
		}
	})
}

func TestTargetsGetWhatTheyAskFor(t *testing.T) {
	var event map[string]any
	if err := json.Unmarshal([]byte(sampleEvent), &event); err != nil {
		t.Fatal(err)
	}
	transformer := func(template string) target {
		return target{"InputTransformer": map[string]any{
			"InputPathsMap": map[string]any{"name": "$.detail.eventName", "n": "$.detail.n"}, "InputTemplate": template,
		}}
	}
	for want, tg := range map[string]target{
		sampleEvent:      {},
		`{"fixed":true}`: {"Input": `{"fixed":true}`},
		`5`:              {"InputPath": "$.detail.n"},
		`{"event":"UpdateFunctionCode20150331v2","n":5}`: transformer(`{"event":<name>,"n":<n>}`),
		`"UpdateFunctionCode20150331v2, 5 times"`:        transformer(`"<name>, <n> times"`),
	} {
		if got := string(tg.payload([]byte(sampleEvent), event)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
