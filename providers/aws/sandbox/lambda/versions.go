package lambda

// snapshot makes a published version of $LATEST.
func (s *Service) snapshot(f *function, description string) *version {
	now := s.opts.Now()
	ready := now.Add(s.opts.Updating)
	f.lastNumber++
	f.published = f.latest.digest()
	v := &version{settings: f.latest.settings, number: itoa(f.lastNumber), modified: now, activeAt: ready, updatedAt: ready,
		revision: fixedRevision(), change: s.nextChange()}
	if description != "" {
		v.Description = description
	}
	f.versions[v.number] = v
	f.publishedAs = v.number
	return v
}

// publish makes a version, or returns the last one when $LATEST is as it was
// then. A real one changes $LATEST's RevisionId; a description does not count.
func (s *Service) publish(f *function, description string) *version {
	if last := f.versions[f.publishedAs]; last != nil && f.published == f.latest.digest() {
		return last
	}
	v := s.snapshot(f, description)
	s.renew(f.latest)
	return v
}

// renew gives $LATEST a new RevisionId; the change that an update in progress
// still owes is kept.
func (s *Service) renew(v *version) {
	v.revision = revision{now: newID(), next: v.revision.next, changesAt: v.revision.changesAt}
	if !s.opts.Now().Before(v.revision.changesAt) {
		v.revision.next = v.revision.now
	}
}

type publishInput struct {
	CodeSha256, Description string
	RevisionID              string `json:"RevisionId"`
	PublishTo               string // refused
}

func (s *Service) publishVersion(q *request) (reply, error) {
	var in publishInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	if in.PublishTo != "" {
		return reply{}, noManagedInstances()
	}
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	if err := s.guard(f.latest, in.RevisionID); err != nil {
		return reply{}, err
	}
	if err := s.changeable(f); err != nil {
		return reply{}, err
	}
	if in.CodeSha256 != "" && in.CodeSha256 != f.latest.Code.SHA256 {
		return reply{}, invalid("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.",
			in.CodeSha256, f.latest.Code.SHA256)
	}
	if len(in.Description) > 256 {
		return reply{}, constraint(in.Description, "description", "Member must have length less than or equal to 256")
	}
	v := s.publish(f, in.Description)
	return created(s.show(f, v, v.number))
}

func (s *Service) listVersions(q *request) (reply, error) {
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	rows := append([]*version{f.latest}, f.ordered()...)
	rows, next, err := page(q, rows, 50, func(v *version) string { return padded(v.number) })
	if err != nil {
		return reply{}, err
	}
	list := make([]configuration, 0, len(rows))
	for _, v := range rows {
		list = append(list, s.showShort(f, v, v.number))
	}
	return ok(listing("Versions", list, next))
}

// deleteVersion removes one version; its number is never used again.
func (s *Service) deleteVersion(f *function, n string) (reply, error) {
	v := f.versions[n]
	if v == nil {
		return reply{}, notFound("Function not found: %s", s.qualifiedARN(f.name, n))
	}
	for name, a := range f.aliases {
		if _, weighted := a.weights[n]; a.version == n || weighted {
			return reply{}, conflict("Version %s can't be deleted because the alias [%s] points to it.", s.qualifiedARN(f.name, n), name)
		}
	}
	delete(f.versions, n)
	delete(f.policies, n)
	delete(f.async, n)
	delete(f.provisioned, n)
	delete(f.runtimes, n)
	s.retire(f, v)
	return noContent()
}
