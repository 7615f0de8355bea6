package lambda

type updateConfigurationInput struct {
	settingsInput
	RevisionID string `json:"RevisionId"`
}

// changeable refuses changes to a function that is not ready for one.
func (s *Service) changeable(f *function) error {
	now := s.opts.Now()
	if now.Before(f.latest.activeAt) {
		return conflict("The operation cannot be performed at this time. The function is currently in the following state: Pending")
	}
	if now.Before(f.latest.updatedAt) {
		return conflict("The operation cannot be performed at this time. An update is in progress for resource: %s", s.arn(f.name))
	}
	return nil
}

// guard checks the RevisionId a caller planned against; "" is no guard.
func (s *Service) guard(v *version, revision string) error {
	if revision != "" && revision != v.revision.at(s.opts.Now()) {
		return staleFunction()
	}
	return nil
}

func (s *Service) updateFunctionConfiguration(q *request) (reply, error) {
	var in updateConfigurationInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
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
	config := f.latest.settings
	in.apply(&config, f.name)
	if err := s.validate(config, in.settingsInput); err != nil {
		return reply{}, err
	}
	s.change(f, config)
	return ok(s.showStarted(f))
}

// showStarted is what the call that starts a change answers: its RevisionId is
// never the one that stands when the change is done, even if that is at once.
func (s *Service) showStarted(f *function) configuration {
	c := s.show(f, f.latest, "")
	c.RevisionID = f.latest.revision.now
	return c
}

// change starts an update of $LATEST. Until it is done the old settings serve.
// The RevisionId changes now, and again when it is done.
func (s *Service) change(f *function, config settings) {
	now := s.opts.Now()
	done := now.Add(s.opts.Updating)
	f.before = f.latest
	f.latest = &version{settings: config, number: latest, modified: now, activeAt: f.latest.activeAt, updatedAt: done,
		revision: newRevision(done), change: s.nextChange()}
}

type updateCodeInput struct {
	codeInput
	Architectures   []string
	Publish, DryRun bool
	RevisionID      string `json:"RevisionId"`
	PublishTo       string // refused
}

func (s *Service) updateFunctionCode(q *request) (reply, error) {
	var in updateCodeInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	if in.PublishTo != "" {
		return reply{}, noManagedInstances()
	}
	config, err := s.codeChange(q, in)
	if err != nil {
		return reply{}, err
	}
	if config.Code, err = s.load(in.codeInput, config.PackageType); err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	if err := s.guard(f.latest, in.RevisionID); err != nil { // the code was fetched without the mutex
		return reply{}, err
	}
	if err := s.changeable(f); err != nil {
		return reply{}, err
	}
	if in.DryRun {
		preview := *f.latest
		preview.settings = config
		return ok(s.show(f, &preview, ""))
	}
	current := f.latest.settings
	current.Code, current.Architectures = config.Code, config.Architectures
	s.change(f, current)
	if in.Publish {
		v := s.publish(f, "")
		return ok(s.show(f, v, v.number))
	}
	return ok(s.showStarted(f))
}

// codeChange checks a code update before its code is fetched.
func (s *Service) codeChange(q *request, in updateCodeInput) (settings, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.findUnqualified(q)
	if err != nil {
		return settings{}, err
	}
	if err := s.guard(f.latest, in.RevisionID); err != nil {
		return settings{}, err
	}
	if err := s.changeable(f); err != nil {
		return settings{}, err
	}
	if err := s.checkSigned(f.signing); err != nil {
		return settings{}, err
	}
	config := f.latest.settings
	if in.Architectures != nil {
		config.Architectures = in.Architectures
	}
	return config, checkWords(config)
}
