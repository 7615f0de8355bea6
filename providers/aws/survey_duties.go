package aws

import (
	"context"
	"fmt"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// duty is which layers of a function are looked at now.
type duty struct{ state, layers, policies, settings map[string]bool }

const (
	// partOfSettings of what the common lane can spare is theirs at most, for
	// layers take all that is left.
	partOfSettings = 0.2
	// stateShare is how many times more often than the other layers the state
	// of a function is looked at: its lane is wide, and otherwise idle.
	stateShare = 5
	// settingsAge is how many times slower the rotation of settings is where
	// none is declared: they are seldom touched.
	settingsAge = 6
)

// duties picks what is due in each layer.
func (s *sweep) duties(subjects []*subject) duty {
	var names, watched []string
	byName := make(map[string]*subject, len(subjects))
	for _, sub := range subjects {
		names = append(names, sub.physical)
		byName[sub.physical] = sub
		if !sub.orphan {
			watched = append(watched, sub.physical)
		}
	}
	costs := func(of func(*subject) int) func(string) int {
		return func(name string) int { return of(byName[name]) }
	}
	m := &s.p.memory
	return duty{
		// What is declared is looked at with the layers. Of the rest, the first
		// round is spread over its whole length.
		settings: s.due(rotation{
			names: watched, lookedAt: s.settingsAt, age: settingsAge * s.p.o.LayerAge,
			service: "Lambda", operation: "GetRuntimeManagementConfig", part: partOfSettings,
			costs: costs(s.callsOfSettings),
		}),
		state: s.due(rotation{
			names: names, lookedAt: func(name string) time.Time {
				if l, ok := recall(m, m.functions, name); ok {
					return l.at
				}
				return time.Time{}
			},
			age: s.p.o.LayerAge / stateShare, service: "Lambda", operation: "GetFunction", costs: costs(callsOfState),
		}),
		layers: s.due(rotation{
			names: names, lookedAt: func(name string) time.Time {
				if l, ok := recall(m, m.layers, name); ok {
					return l.at
				}
				return time.Time{}
			},
			service: "Lambda", operation: "ListAliases", costs: costs(s.callsOfLayers),
		}),
		policies: s.due(rotation{
			names: names, lookedAt: func(name string) time.Time {
				if l, ok := recall(m, m.policies, name); ok {
					return l.at
				}
				return time.Time{}
			},
			service: "Lambda", operation: "GetPolicy", costs: costs(s.callsOfPolicies),
		}),
	}
}

// settingsAt is when a function's settings were looked at; the first survey,
// when they never were.
func (s *sweep) settingsAt(name string) time.Time {
	if l, ok := recall(&s.p.memory, s.p.memory.settings, name); ok {
		return l.at
	}
	return s.p.sweeps.first
}

func (s *sweep) signedAt() time.Time {
	s.p.memory.mu.Lock()
	defer s.p.memory.mu.Unlock()
	return s.p.memory.signed
}

// signing finds which functions have a code signing configuration: by asking
// each configuration, of which there are few, for its functions, of which most
// have none. Where that is refused, each function is asked.
func (s *sweep) signing(ctx context.Context, subjects []*subject) {
	if s.narrow || len(subjects) == 0 {
		return
	}
	last := s.signedAt()
	defer func() {
		if at := s.signedAt(); !at.IsZero() {
			s.layer(layerSigning, at)
		}
	}()
	turn := s.due(rotation{
		names: []string{"all"}, lookedAt: func(string) time.Time { return last }, age: s.p.o.LayerAge / 2,
		service: "Lambda", operation: "ListCodeSigningConfigs", cost: 2,
	})
	if len(turn) == 0 {
		return
	}
	found, err := s.listSigned(ctx)
	if err != nil {
		if kind := providers.KindOf(classify(err)); !isUnknownOperation(err) && kind != providers.Denied {
			s.fail(manifest.Ref{}, fmt.Errorf("list code signing configurations: %w", classify(err)))
		}
		return
	}
	s.p.memory.mu.Lock()
	defer s.p.memory.mu.Unlock()
	s.p.memory.signed = s.at
	for _, sub := range subjects {
		if s.bulk[sub.physical] != nil {
			s.p.memory.signing[sub.physical] = signingLook{at: s.at, arn: found[sub.physical]}
		}
	}
}

// listSigned are the configurations of functions that have one, by name.
func (s *sweep) listSigned(ctx context.Context) (map[string]string, error) {
	found := map[string]string{}
	configs := lambda.NewListCodeSigningConfigsPaginator(s.cl.lambda, &lambda.ListCodeSigningConfigsInput{})
	for configs.HasMorePages() {
		page, err := configs.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, c := range page.CodeSigningConfigs {
			signed := lambda.NewListFunctionsByCodeSigningConfigPaginator(s.cl.lambda, &lambda.ListFunctionsByCodeSigningConfigInput{CodeSigningConfigArn: c.CodeSigningConfigArn})
			for signed.HasMorePages() {
				page, err := signed.NextPage(ctx)
				if isAbsent(err) { // it went meanwhile
					break
				}
				if err != nil {
					return nil, err
				}
				for _, arn := range page.FunctionArns {
					name, _ := functionOf(arn)
					found[name] = awssdk.ToString(c.CodeSigningConfigArn)
				}
			}
		}
	}
	return found, nil
}
