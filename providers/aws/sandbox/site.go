package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/actor"
	"mooring.dev/providers/aws/sandbox/apigateway"
	"mooring.dev/providers/aws/sandbox/cloudtrail"
	"mooring.dev/providers/aws/sandbox/cloudwatch"
	"mooring.dev/providers/aws/sandbox/dynamodb"
	"mooring.dev/providers/aws/sandbox/events"
	"mooring.dev/providers/aws/sandbox/iam"
	"mooring.dev/providers/aws/sandbox/kinesis"
	"mooring.dev/providers/aws/sandbox/lambda"
	"mooring.dev/providers/aws/sandbox/logs"
	"mooring.dev/providers/aws/sandbox/scheduler"
	"mooring.dev/providers/aws/sandbox/secrets"
	"mooring.dev/providers/aws/sandbox/sns"
	"mooring.dev/providers/aws/sandbox/sqs"
	"mooring.dev/providers/aws/sandbox/ssm"
	"mooring.dev/providers/aws/sandbox/states"
	"mooring.dev/providers/aws/sandbox/tagging"
	"mooring.dev/providers/aws/sandbox/wire"
)

// place is where state lives apart from all other: an account in a region.
type place struct{ account, region string }

// account is what an account has in every region.
type account struct {
	iam *iam.Service
	sts *iam.STS
}

// site is one account in one region, with its services by signing name.
type site struct {
	place
	services  map[string]wire.Service
	queues    *sqs.Service
	metrics   *cloudwatch.Service
	trail     *cloudtrail.Service
	bus       *events.Service
	topics    *sns.Service
	schedules *scheduler.Service
	functions *lambda.Service
	machines  *states.Service
	tables    *dynamodb.Service
	streams   *kinesis.Service
	apis      *apigateway.Service
}

// account finds or makes an account.
func (s *Sandbox) account(id string) *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accountLocked(id)
}

func (s *Sandbox) accountLocked(id string) *account {
	if a, ok := s.roles[id]; ok {
		return a
	}
	a := &account{iam: iam.New(iam.Options{Now: s.clock.Now, Account: id})}
	a.sts = iam.NewSTS(iam.STSOptions{
		Now:     s.clock.Now,
		Account: s.rolesOf,
		Issue:   s.ids.Register,
	})
	s.roles[id] = a
	return a
}

// rolesOf are an account's roles; nil for what is no account.
func (s *Sandbox) rolesOf(id string) *iam.Service {
	if !actor.IsAccount(id) {
		return nil
	}
	return s.account(id).iam
}

// site finds or makes an account in a region.
func (s *Sandbox) site(at place) (*site, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok := s.sites[at]; ok {
		return st, nil
	}
	if s.closed {
		return nil, errors.New("the sandbox is closed")
	}
	st, err := s.build(at)
	if err != nil {
		return nil, fmt.Errorf("set up account %s in %s: %w", at.account, at.region, err)
	}
	s.sites[at] = st
	return st, nil
}

// all are the sites there are, in order.
func (s *Sandbox) all() []*site {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*site, 0, len(s.sites))
	for _, st := range s.sites {
		out = append(out, st)
	}
	slices.SortFunc(out, func(a, b *site) int {
		return cmp.Or(strings.Compare(a.account, b.account), strings.Compare(a.region, b.region))
	})
	return out
}

// quiet is how long SQS remembers deleted names and purges: 60 seconds where
// changes take time at all.
func (s *Sandbox) quiet() time.Duration {
	if s.options.Updating > 0 {
		return time.Minute
	}
	return 0
}

// build makes a site's services; the caller holds the lock.
func (s *Sandbox) build(at place) (*site, error) {
	now := s.clock.Now
	a := s.accountLocked(at.account)
	st := &site{
		place:   at,
		metrics: cloudwatch.New(cloudwatch.Options{Now: now, Account: at.account, Region: at.region, Period: s.options.Period}),
		trail:   cloudtrail.New(cloudtrail.Options{Now: now, Account: at.account, Region: at.region, Lag: s.options.TrailLag}),
	}
	st.queues = sqs.New(sqs.Options{
		Now: now, Account: at.account, Region: at.region, PublicURL: s.URL, Quiet: s.quiet(),
		Metrics: func(metric, queue string, value float64) {
			st.metrics.Put("AWS/SQS", metric, map[string]string{"QueueName": queue}, now(), value)
		},
	})
	st.bus = events.New(events.Options{Now: now, Account: at.account, Region: at.region, Deliver: s.send})
	st.topics = sns.New(sns.Options{Now: now, Account: at.account, Region: at.region, Deliver: s.notify})
	st.schedules = scheduler.New(scheduler.Options{Now: now, Account: at.account, Region: at.region, Roles: rolesFor{s}, Deliver: s.fire})
	st.tables = dynamodb.New(dynamodb.Options{Now: now, Account: at.account, Region: at.region, Updating: s.options.Updating})
	st.streams = kinesis.New(kinesis.Options{Now: now, Account: at.account, Region: at.region, Updating: s.options.Updating})
	secret := secrets.New(secrets.Options{Now: now, Account: at.account, Region: at.region})
	parameters := ssm.New(ssm.Options{Now: now, Account: at.account, Region: at.region})
	groups := logs.New(logs.Options{
		Now: now, Account: at.account, Region: at.region, Lines: st.functionLines,
		MayInvoke: func(source, function string) bool { return s.mayInvoke("logs.amazonaws.com", source, function) },
	})
	st.apis = apigateway.New(apigateway.Options{
		Now: now, Account: at.account, Region: at.region, PublicURL: s.URL, Invoke: s.calling("apigateway.amazonaws.com"),
		Metrics: func(metric string, dimensions map[string]string, value float64) {
			st.metrics.Put("AWS/ApiGateway", metric, dimensions, now(), value)
		},
	})
	functionTags := func() map[string]map[string]string { return st.functions.Tagged() } // which is made below
	machineTags := func() map[string]map[string]string { return st.machines.Tagged() }
	tags := tagging.New(functionTags, st.queues.Tagged, st.metrics.Tagged, st.bus.Tagged, st.topics.Tagged, st.schedules.Tagged,
		secret.Tagged, parameters.Tagged, groups.Tagged, machineTags, st.tables.Tagged, st.streams.Tagged,
		st.apis.Tagged, func() map[string]map[string]string { return s.objects.Tagged(at.account, at.region) })
	st.machines = s.newMachines(st)
	dir := filepath.Join(s.options.DataDir, at.account, at.region)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if st.functions, err = s.newFunctions(st, dir); err != nil {
		return nil, err
	}
	st.services = map[string]wire.Service{}
	for _, service := range []wire.Service{
		a.iam, a.sts, s.objects, st.queues, st.metrics, st.trail, st.bus, st.topics, st.schedules, secret, parameters, groups, tags, st.functions, st.machines,
		st.tables, st.streams, st.apis,
	} {
		st.services[service.Name()] = service
	}
	return st, nil
}

// audit puts a call into the history, and a change on the bus, of where its
// events are: global services' are in us-east-1. The bus hears of nothing
// while no trail logs.
func (s *Sandbox) audit(c wire.Call) {
	st, err := s.site(place{account: c.Account, region: c.Region})
	if err != nil { // the sandbox is closing
		return
	}
	e, kept := st.trail.Record(c)
	if !kept || !st.trail.Logs(c.Service) {
		return
	}
	// An event that cannot be written has nobody to be told.
	_, _ = st.bus.Publish(context.Background(), events.Event{
		Source: "aws." + c.Service, DetailType: "AWS API Call via CloudTrail", Detail: e.Record, At: c.At, ReadOnly: c.ReadOnly,
	})
}

// makeFolder makes the folder functions live in.
func (s *Sandbox) makeFolder() error {
	if s.options.DataDir != "" {
		if err := os.MkdirAll(s.options.DataDir, 0o700); err != nil {
			return fmt.Errorf("sandbox: make its folder: %w", err)
		}
		return nil
	}
	dir, err := os.MkdirTemp("", "mooring-sandbox-")
	if err != nil {
		return fmt.Errorf("sandbox: make its folder: %w", err)
	}
	s.options.DataDir, s.temp = dir, dir
	return nil
}

// closeSites ends every function's processes and removes a folder of ours.
func (s *Sandbox) closeSites() error {
	var faults []error
	for _, st := range s.all() {
		faults = append(faults, st.machines.Close(), st.functions.Close())
	}
	if s.temp != "" {
		faults = append(faults, os.RemoveAll(s.temp))
	}
	return errors.Join(faults...)
}
