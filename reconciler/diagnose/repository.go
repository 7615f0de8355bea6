package diagnose

// Repository is what was read of it.
type Repository struct {
	Address  string   // as it was named, without credentials
	Err      error    // it could not be read
	Control  string   // the control branch
	Missing  bool     // which is not there
	Others   []string // branches that have a mooring.yaml, where Control has none
	Key      string   // the file of the private key that opens it; ""
	Why      string   // of Err, one of the constants; ""
	Scan     string   // the command that learns its host's key; "" where it has none
	Faults   []string
	Environs int
	Standin  bool // a working folder without mooring.yaml
	Policies Policies
}

// Why a repository was not read.
const (
	Unauthorized = "unauthorized" // it does not take our credentials
	Unreachable  = "unreachable"  // nobody answers
	Stranger     = "stranger"     // its host's key is not known
)

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
func OfRepository(at Place, r Repository) []Check {
	reach := subject{name: "repository"}
	pipeline, policies := subject{name: "pipeline"}, subject{name: "policies"}
	if r.Err != nil {
		why := "the repository could not be read"
		return []Check{
			unread(reach, r),
			pipeline.skipped("%s", why), policies.skipped("%s", why),
		}
	}
	out := []Check{reach.ok("%s is read", r.Address)}
	switch {
	case r.Missing:
		return append(out, noControl(at, pipeline, r), policies.skipped("there is no branch %s", r.Control))
	case len(r.Faults) > 0:
		out = append(out, pipeline.fault("correct mooring.yaml on branch "+r.Control+"; the command tells all faults", "%s", some(r.Faults, "; ")).by(at.mooring("validate")))
	case r.Standin:
		return append(out, pipeline.skipped("no mooring.yaml here: read as the checkout of an environment branch"), policies.skipped("policies are on the control branch"))
	default:
		out = append(out, pipeline.ok("mooring.yaml on %s names %s", r.Control, counted(r.Environs, "environment")))
	}
	if p := r.Policies; len(p.Err) > 0 {
		return append(out, policies.fault("correct them on branch "+r.Control+"; until then what was active stays active, and a daemon that starts anew allows nothing; the command tells all faults", "%s", some(p.Err, "; ")).by(at.mooring("validate")))
	} else if p.Count == 0 {
		return append(out, policies.ok("there are none: the built-in defaults decide"))
	}
	return append(out, policies.ok("%s read, %s passed", counted(r.Policies.Count, "package"), counted(r.Policies.Tests, "test")))
}

// unread says what to do about a repository that cannot be read: each reason
// has its own.
func unread(s subject, r Repository) Check {
	remote := "git ls-remote " + Quoted(r.Address)
	switch {
	case r.Why == Stranger:
		return s.fault("learn the host's key, and compare it with what the host says of itself elsewhere", "%v", r.Err).by(r.Scan)
	case r.Why == Unauthorized && r.Key != "":
		return s.fault("let the repository's host know the key's public half, as one that may read; the command prints it", "%v", r.Err).by("ssh-keygen -y -f " + Quoted(r.Key))
	case r.Why == Unauthorized:
		return s.fault("give a token that may read the repository: --git-token-file FILE, MOORING_GIT_TOKEN or --git-github-app; --git-user where the host wants another user than git", "%v", r.Err)
	case r.Why == Unreachable:
		return s.fault("correct --repo, or what lies between here and there (network, HTTPS_PROXY, --ca-file); from here, the command has to answer", "%v", r.Err).by(remote)
	}
	return s.fault("correct --repo, --git-ssh-key, --git-known-hosts or --ca-file as it says", "%v", r.Err)
}

// noControl names a branch that would do.
func noControl(at Place, s subject, r Repository) Check {
	c := s.fault("name the control branch with --control", "there is no branch %s to read mooring.yaml from", r.Control)
	if len(r.Others) == 0 {
		c.Remedy = "push a branch " + r.Control + " with a mooring.yaml (`mooring init` makes one), or name another with --control"
		return c
	}
	if len(r.Others) > 1 {
		c.Remedy += "; a mooring.yaml stands on " + some(r.Others, ", ")
	}
	return c.by(at.mooring("doctor") + " --control " + Quoted(r.Others[0])) // the last one counts
}

// newBranch begins a branch with nothing on it, beside what is checked out.
func newBranch(name string) string {
	return "git push origin \"$(git commit-tree -m 'Nothing yet' \"$(git mktree < /dev/null)\")\":refs/heads/" + Quoted(name)
}

// OfEnvironment judges a branch, its manifests, and whether anything can be
// released there.
func OfEnvironment(at Place, e Environment, p Policies) []Check {
	branch, manifests := subject{"branch", e.Name}, subject{"manifests", e.Name}
	var out []Check
	switch {
	case e.Missing:
		out = append(out, branch.fault("correct `branch` in mooring.yaml, or begin one, in a clone of the repository", "there is no branch %s", e.Branch).by(newBranch(e.Branch)),
			manifests.skipped("there is no branch %s", e.Branch))
	case len(e.Faults) > 0:
		out = append(out, branch.ok("%s is there", e.Branch),
			manifests.fault("correct them on branch "+e.Branch+"; the command tells all faults", "%s", some(e.Faults, "; ")).by(at.mooring("validate --environment "+e.Name)))
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
		return append(out, protection.fault("add a policy with an `allow` rule for "+e.Name+" (docs/policy.md), or begin with the starter's, in a checkout of the control branch, and commit it", "%s is protected, and no policy can allow a release", e.Name).by("mooring policy init ."))
	}
	return append(out, protection.ok("%s can allow a release", some(p.Opens, ", ")))
}
