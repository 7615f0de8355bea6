package diagnose

import "fmt"

// Repository is what was read of it.
type Repository struct {
	Address  string // as it was named, without credentials
	Err      error  // it could not be read
	Control  string // the control branch
	Missing  bool   // which is not there
	Faults   []string
	Environs int
	Standin  bool // a working folder without mooring.yaml
	Policies Policies
}

// Policies are those of the control branch.
type Policies struct {
	Err   []string // why they do not load, a line each
	Count int      // packages that decide
	Tests int      // that passed
	Opens []string // packages that can allow an admission
}

// Environment is one of the repository's, as its branch declares it.
type Environment struct {
	Name, Branch string
	Protected    bool
	Missing      bool // the branch is not there
	Faults       []string
	Resources    int
}

// NoRepository says what was not looked at.
func NoRepository() Check {
	return subject{name: "repository"}.skipped("none was named: give --repo or --path to have it, the environments and the receivers looked at")
}

// OfRepository judges what holds for all environments.
func OfRepository(r Repository) []Check {
	reach := subject{name: "repository"}
	pipeline, policies := subject{name: "pipeline"}, subject{name: "policies"}
	if r.Err != nil {
		why := "the repository could not be read"
		return []Check{
			reach.fault("check the address and the credentials: `git ls-remote "+r.Address+"`; see --git-token-file, --git-ssh-key, --git-known-hosts and --ca-file", "%v", r.Err),
			pipeline.skipped("%s", why), policies.skipped("%s", why),
		}
	}
	out := []Check{reach.ok("%s is read", r.Address)}
	switch {
	case r.Missing:
		return append(out, pipeline.fault("name the branch with --control, or push one with a mooring.yaml", "there is no branch %s to read mooring.yaml from", r.Control),
			policies.skipped("there is no branch %s", r.Control))
	case len(r.Faults) > 0:
		out = append(out, pipeline.fault("correct mooring.yaml on branch "+r.Control+"; `mooring validate` tells all faults", "%s", some(r.Faults, "; ")))
	case r.Standin:
		return append(out, pipeline.skipped("no mooring.yaml here: read as the checkout of an environment branch"), policies.skipped("policies are on the control branch"))
	default:
		out = append(out, pipeline.ok("mooring.yaml on %s names %s", r.Control, counted(r.Environs, "environment")))
	}
	if p := r.Policies; len(p.Err) > 0 {
		return append(out, policies.fault("correct them on branch "+r.Control+"; until then what was active stays active, and a daemon that starts anew allows nothing", "%s", some(p.Err, "; ")))
	} else if p.Count == 0 {
		return append(out, policies.ok("there are none: the built-in defaults decide"))
	}
	return append(out, policies.ok("%s read, %s passed", counted(r.Policies.Count, "package"), counted(r.Policies.Tests, "test")))
}

// OfEnvironment judges a branch, its manifests, and whether anything can be
// released there.
func OfEnvironment(e Environment, p Policies) []Check {
	branch, manifests := subject{"branch", e.Name}, subject{"manifests", e.Name}
	var out []Check
	switch {
	case e.Missing:
		out = append(out, branch.fault(fmt.Sprintf("push one: `git push origin HEAD:%s`", e.Branch), "there is no branch %s", e.Branch),
			manifests.skipped("there is no branch %s", e.Branch))
	case len(e.Faults) > 0:
		out = append(out, branch.ok("%s is there", e.Branch),
			manifests.fault("correct them; `mooring validate --environment "+e.Name+"` tells all faults", "%s", some(e.Faults, "; ")))
	case e.Resources == 0:
		out = append(out, branch.ok("%s is there", e.Branch),
			manifests.warning("push manifests, or nothing is managed", "no resource is declared"))
	default:
		out = append(out, branch.ok("%s is there", e.Branch), manifests.ok("%s declared, and valid", counted(e.Resources, "resource")))
	}
	protection := subject{"protection", e.Name}
	switch {
	case !e.Protected:
		return out
	case len(p.Err) > 0:
		return append(out, protection.skipped("the policies do not load"))
	case len(p.Opens) == 0:
		return append(out, protection.fault("add policies/admission/release.rego with an `allow` rule for "+e.Name+"; see docs/policy.md", "%s is protected, and no policy can allow a release", e.Name))
	}
	return append(out, protection.ok("%s can allow a release", some(p.Opens, ", ")))
}
