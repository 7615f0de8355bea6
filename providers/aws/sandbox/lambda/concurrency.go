package lambda

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

// unreservedFloor must stay free for functions without a reservation.
const unreservedFloor = 100

type concurrencyOutput struct {
	ReservedConcurrentExecutions *int `json:",omitempty"`
}

// unreserved is what is left of the account's concurrency, with one function's
// reservation left out of the sum.
func (s *Service) unreserved(except string) int {
	left := s.opts.Concurrency
	for name, f := range s.functions {
		if f.reserved != nil && name != except {
			left -= *f.reserved
		}
	}
	return left
}

func (s *Service) putConcurrency(q *request) (reply, error) {
	var in concurrencyOutput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	n := in.ReservedConcurrentExecutions
	if n == nil || *n < 0 {
		return reply{}, constraint("null", "reservedConcurrentExecutions", "Member must be a value greater than or equal to 0")
	}
	if *n > 0 && s.unreserved(f.name)-*n < unreservedFloor {
		return reply{}, invalid("Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [%d].", unreservedFloor)
	}
	f.reserved = n
	return ok(in)
}

func (s *Service) getConcurrency(q *request) (reply, error) {
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	return ok(concurrencyOutput{ReservedConcurrentExecutions: f.reserved})
}

func (s *Service) deleteConcurrency(q *request) (reply, error) {
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	f.reserved = nil
	return noContent()
}

// provisioned is concurrency kept ready for one version or alias.
type provisioned struct {
	requested int
	function  string
	scarce    bool // there was no room when it was asked for
	readyAt   time.Time
	modified  time.Time
}

type provisionedOutput struct {
	FunctionArn                              string `json:",omitempty"`
	RequestedProvisionedConcurrentExecutions int
	AvailableProvisionedConcurrentExecutions int
	AllocatedProvisionedConcurrentExecutions int
	Status, LastModified                     string
	StatusReason                             string `json:",omitempty"`
}

func (s *Service) showProvisioned(p *provisioned) provisionedOutput {
	out := provisionedOutput{RequestedProvisionedConcurrentExecutions: p.requested, Status: "IN_PROGRESS", LastModified: p.modified.UTC().Format("2006-01-02T15:04:05-0700")}
	room := Scarce{}
	if p.scarce {
		room = s.opts.Outside.room(p.function)
		p.scarce = room != Scarce{} // once it has its room, it keeps it
	}
	switch {
	case room.Fails != "":
		out.Status, out.StatusReason = "FAILED", room.Fails
	case room.Waits:
	case !s.opts.Now().Before(p.readyAt):
		out.Status = "READY"
		out.AvailableProvisionedConcurrentExecutions, out.AllocatedProvisionedConcurrentExecutions = p.requested, p.requested
	}
	return out
}

func (s *Service) putProvisioned(q *request) (reply, error) {
	var in struct{ ProvisionedConcurrentExecutions int }
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	f, qualifier, err := s.provisionable(q)
	if err != nil {
		return reply{}, err
	}
	if in.ProvisionedConcurrentExecutions < 1 {
		return reply{}, constraint(in.ProvisionedConcurrentExecutions, "provisionedConcurrentExecutions", "Member must have value greater than or equal to 1")
	}
	if err := s.provisionConflict(f, qualifier); err != nil {
		return reply{}, err
	}
	if f.reserved != nil && in.ProvisionedConcurrentExecutions > *f.reserved {
		return reply{}, invalid("Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function")
	}
	now := s.opts.Now()
	p := &provisioned{requested: in.ProvisionedConcurrentExecutions, function: f.name, modified: now, readyAt: now.Add(s.opts.Updating)}
	p.scarce = s.opts.Outside.room(f.name) != Scarce{}
	f.provisioned[qualifier] = p
	return accepted(s.showProvisioned(p))
}

func (s *Service) provisionConflict(f *function, qualifier string) error {
	if a := f.aliases[qualifier]; a != nil {
		if len(a.shares(s.opts.Now())) > 0 {
			return invalid("Alias with weights can not be used with Provisioned Concurrency")
		}
		if f.provisioned[a.version] != nil {
			return conflict("Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")
		}
		return nil
	}
	for name, a := range f.aliases {
		if a.version == qualifier && f.provisioned[name] != nil {
			return conflict("Version is pointed by a Provisioned Concurrency alias")
		}
	}
	return nil
}

// provisionable is the function and the version or alias a call means.
func (s *Service) provisionable(q *request) (*function, string, error) {
	f, ref, err := s.find(q)
	if err != nil {
		return nil, "", err
	}
	if ref.qualifier == "" || ref.qualifier == latest {
		return nil, "", invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
	}
	v, err := s.version(f, ref.qualifier)
	if err != nil {
		return nil, "", err
	}
	if v.number == latest {
		return nil, "", invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
	}
	return f, ref.qualifier, nil
}

func (s *Service) getProvisioned(q *request) (reply, error) {
	f, qualifier, err := s.provisionable(q)
	if err != nil {
		return reply{}, err
	}
	p := f.provisioned[qualifier]
	if p == nil {
		return reply{}, fault(http.StatusNotFound, "ProvisionedConcurrencyConfigNotFoundException", "No Provisioned Concurrency Config found for this function")
	}
	return ok(s.showProvisioned(p))
}

func (s *Service) listProvisioned(q *request) (reply, error) {
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	names, next, err := page(q, slices.Sorted(maps.Keys(f.provisioned)), 50, func(n string) string { return n })
	if err != nil {
		return reply{}, err
	}
	list := make([]provisionedOutput, 0, len(names))
	for _, name := range names {
		row := s.showProvisioned(f.provisioned[name])
		row.FunctionArn = s.qualifiedARN(f.name, name)
		list = append(list, row)
	}
	return ok(listing("ProvisionedConcurrencyConfigs", list, next))
}

func (s *Service) deleteProvisioned(q *request) (reply, error) {
	f, qualifier, err := s.provisionable(q)
	if err != nil {
		return reply{}, err
	}
	delete(f.provisioned, qualifier)
	return noContent()
}
