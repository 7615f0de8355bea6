package lambda

// runtimeManagement is how a version takes new builds of its runtime.
type runtimeManagement struct{ mode, arn string }

func (s *Service) putRuntimeManagement(q *request) (reply, error) {
	var in struct{ UpdateRuntimeOn, RuntimeVersionArn string }
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	f, qualifier, err := s.managed(q)
	if err != nil {
		return reply{}, err
	}
	switch in.UpdateRuntimeOn {
	case "Auto", "FunctionUpdate":
		if in.RuntimeVersionArn != "" {
			return reply{}, invalid("RuntimeVersionArn may only be given with the update mode Manual.")
		}
	case "Manual":
		if in.RuntimeVersionArn == "" {
			return reply{}, invalid("You must specify a RuntimeVersionArn with the update mode Manual.")
		}
	default:
		return reply{}, constraint(in.UpdateRuntimeOn, "updateRuntimeOn", "Member must satisfy enum value set: [Auto, Manual, FunctionUpdate]")
	}
	f.runtimes[qualifier] = runtimeManagement{mode: in.UpdateRuntimeOn, arn: in.RuntimeVersionArn}
	return ok(s.showManaged(f, qualifier))
}

func (s *Service) managed(q *request) (*function, string, error) {
	f, ref, err := s.find(q)
	if err != nil {
		return nil, "", err
	}
	if ref.qualifier == "" {
		ref.qualifier = latest
	}
	if isAlias(ref.qualifier) {
		return nil, "", invalid("Runtime management is not supported for aliases. Please specify $LATEST or a version.")
	}
	if _, err := s.version(f, ref.qualifier); err != nil {
		return nil, "", err
	}
	return f, ref.qualifier, nil
}

func (s *Service) showManaged(f *function, qualifier string) map[string]any {
	m := f.runtimes[qualifier]
	if m.mode == "" {
		m.mode = "Auto"
	}
	out := map[string]any{"UpdateRuntimeOn": m.mode, "FunctionArn": s.qualifiedARN(f.name, qualifier)}
	if m.arn != "" {
		out["RuntimeVersionArn"] = m.arn
	}
	return out
}

func (s *Service) getRuntimeManagement(q *request) (reply, error) {
	f, qualifier, err := s.managed(q)
	if err != nil {
		return reply{}, err
	}
	return ok(s.showManaged(f, qualifier))
}

func (s *Service) putRecursion(q *request) (reply, error) {
	var in struct{ RecursiveLoop string }
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	if in.RecursiveLoop != "Allow" && in.RecursiveLoop != "Terminate" {
		return reply{}, constraint(in.RecursiveLoop, "recursiveLoop", "Member must satisfy enum value set: [Allow, Terminate]")
	}
	f.recursion = in.RecursiveLoop
	return ok(map[string]string{"RecursiveLoop": f.recursion})
}

func (s *Service) getRecursion(q *request) (reply, error) {
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	return ok(map[string]string{"RecursiveLoop": f.recursion})
}

// codeUsed counts every version's zip again, as AWS does.
func (s *Service) codeUsed() int64 {
	var total int64
	for _, f := range s.functions {
		total += f.latest.Code.Size
		for _, v := range f.versions {
			total += v.Code.Size
		}
	}
	for _, l := range s.layers {
		for _, v := range l.versions {
			total += v.code.Size
		}
	}
	return total
}

func (s *Service) getAccountSettings(*request) (reply, error) {
	return ok(map[string]any{
		"AccountLimit": map[string]any{
			"TotalCodeSize": int64(codeStoreLimit), "CodeSizeUnzipped": unzippedLimit, "CodeSizeZipped": zippedLimit,
			"ConcurrentExecutions": s.opts.Concurrency, "UnreservedConcurrentExecutions": s.unreserved(""),
		},
		"AccountUsage": map[string]any{"TotalCodeSize": s.codeUsed(), "FunctionCount": len(s.functions)},
	})
}
