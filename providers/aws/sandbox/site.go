package sandbox

import (
	"fmt"
	"net/http"
	"time"

	"mooring.dev/providers/aws/sandbox/iam"
	"mooring.dev/providers/aws/sandbox/sqs"
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
	services map[string]wire.Service
	queues   *sqs.Service
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
		Issue:   s.ids.register,
	})
	s.roles[id] = a
	return a
}

// rolesOf are an account's roles; nil for what is no account.
func (s *Sandbox) rolesOf(id string) *iam.Service {
	if !isAccount(id) {
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
	st, err := s.build(at)
	if err != nil {
		return nil, fmt.Errorf("set up account %s in %s: %w", at.account, at.region, err)
	}
	s.sites[at] = st
	return st, nil
}

// quiet is how long SQS remembers deleted names and purges: 60 seconds where
// changes take time at all.
func (s *Sandbox) quiet() time.Duration {
	if s.options.Updating > 0 {
		return time.Minute
	}
	return 0
}

func (s *Sandbox) build(at place) (*site, error) {
	a := s.accountLocked(at.account)
	st := &site{place: at}
	st.queues = sqs.New(sqs.Options{
		Now: s.clock.Now, Account: at.account, Region: at.region, PublicURL: s.URL, Quiet: s.quiet(),
	})
	st.services = map[string]wire.Service{}
	for _, service := range []wire.Service{st.queues, a.iam, a.sts, s.objects} {
		st.services[service.Name()] = service
	}
	return st, nil
}

// audit is told of every call that was answered.
func (st *site) audit(wire.Call) {}

func (s *Sandbox) serveFunctionURL(http.ResponseWriter, *http.Request) bool { return false }

func (s *Sandbox) makeFolder() error { return nil }

func (s *Sandbox) closeSites() error { return nil }
