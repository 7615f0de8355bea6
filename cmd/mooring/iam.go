package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mooring.dev/providers/aws"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// granting is one run of the iam command.
type granting struct {
	reading
	capability     string
	allKinds       bool
	trust, calling bool
	principal      string
}

func iamCommand() *cobra.Command {
	var g granting
	cmd := &cobra.Command{
		Use:   "iam",
		Short: "the IAM policies Mooring needs, of the kinds a repository uses and nothing more",
		Long: `Prints what the role of an environment must be allowed, by capability:

  observe  looking: enough for mooring drift, plan and run --read-only
  check    invoking versions around a release, and reading how they do
  manage   creating, changing, publishing and routing what is declared
  detach   taking off what nobody declared
  delete   removing what is declared no more, and old versions

Each builds on observe. Nothing is denied: what is not printed is not allowed.
--trust prints who may take the role on, --calling what the daemon's own
identity needs to do so.`,
		Example: `  mooring iam --repo shop.git --environment staging
  mooring iam --path . --environment production --capability observe
  mooring iam --all-kinds --capability observe,check,manage,detach,delete -o table`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return g.run(cmd) },
	}
	g.reading.flags(cmd)
	g.refFlag(cmd)
	f := cmd.Flags()
	f.Lookup("output").Usage, f.Lookup("output").DefValue = "json (the policy document), yaml or table", "json"
	g.output = "json"
	f.StringVar(&g.capability, "capability", capabilityList(rights.Default()), "what is to be allowed: some of "+capabilityList(rights.All()))
	f.BoolVar(&g.allKinds, "all-kinds", false, "without a repository: every kind, account, region and name")
	f.BoolVar(&g.trust, "trust", false, "the trust policy of the environment's role instead")
	f.BoolVar(&g.calling, "calling", false, "the policy of the daemon's own identity instead: taking roles on")
	f.StringVar(&g.principal, "principal", "", "with --trust: ARN of the daemon's own identity; without, whoever the environment's account lets")
	return cmd
}

func capabilityList(some []rights.Capability) string {
	names := make([]string, len(some))
	for i, c := range some {
		names[i] = string(c)
	}
	return strings.Join(names, ",")
}

func (g *granting) run(cmd *cobra.Command) error {
	if err := g.valid(); err != nil {
		return err
	}
	some, err := rights.Parse(g.capability)
	if err != nil {
		return fmt.Errorf("iam: %w", err)
	}
	if g.allKinds {
		return g.show(cmd, aws.Grants(rights.Scope{}, aws.AnySettings(), some), some)
	}
	ctx, told := atWork(cmd)
	control, at, done, err := g.trees(ctx)
	told()
	if err != nil {
		return err
	}
	defer done()
	pipeline, targets, err := g.targets(control)
	if err != nil {
		return err
	}
	switch {
	case g.trust:
		return g.showTrust(cmd, targets)
	case g.calling:
		return g.showCalling(cmd, targets)
	}
	var grants []rights.Grant
	for _, e := range targets {
		snap, err := g.declared(cmd, at, pipeline, e)
		if err != nil {
			return err
		}
		rel, err := render(snap, pipeline, e)
		if err != nil {
			return err
		}
		grants = append(grants, aws.Grants(scopeOf(pipeline, e, rel), aws.Settings{HintQueue: e.Hints.Queue, Deadman: e.Rollout.Deadman}, some)...)
	}
	return g.show(cmd, grants, some)
}

func (g *granting) valid() error {
	declared := g.repo != "" || g.path != ""
	switch {
	case g.trust && g.calling:
		return errors.New("iam: --trust and --calling exclude each other: they are of two identities")
	case g.allKinds && (declared || g.trust || g.calling || g.environment != ""):
		return errors.New("iam: --all-kinds is without a repository: leave out --repo, --path, --environment, --trust and --calling")
	case !g.allKinds && !declared:
		return errors.New("iam: no repository: name one with --repo PATH_OR_URL or --path DIR, or ask for --all-kinds")
	case g.principal != "" && !g.trust:
		return errors.New("iam: --principal goes with --trust")
	}
	return nil
}

// targets are the environments that are meant: the one that is named, or all.
func (g *granting) targets(control sources.Snapshot) (*manifest.Pipeline, []manifest.Environment, error) {
	pipeline, err := manifest.LoadPipeline(control.Tree)
	if err != nil {
		return nil, nil, err
	}
	if g.notice != "" { // a stand-in knows no account
		for i := range pipeline.Environments {
			pipeline.Environments[i].Provider = manifest.ProviderTarget{AWS: &manifest.AWSTarget{}}
		}
	}
	if g.environment != "" {
		e, ok := pipeline.Environment(g.environment)
		switch {
		case !ok:
			return nil, nil, unknownEnvironment(g.environment, pipeline)
		case e.Provider.AWS == nil:
			return nil, nil, fmt.Errorf("iam: environment %s is not on AWS: it needs no rights", e.Name)
		}
		return pipeline, []manifest.Environment{e}, nil
	}
	all := slices.DeleteFunc(slices.Clone(pipeline.Environments), func(e manifest.Environment) bool { return e.Provider.AWS == nil })
	if len(all) == 0 {
		return nil, nil, errors.New("iam: no environment of this pipeline is on AWS")
	}
	return pipeline, all, nil
}

// declared is the tree of an environment. One without a branch yet will get
// what stands before it.
func (g *granting) declared(cmd *cobra.Command, at func(manifest.Environment) (sources.Snapshot, error), p *manifest.Pipeline, e manifest.Environment) (sources.Snapshot, error) {
	snap, err := at(e)
	if err == nil || g.ref != "" {
		return snap, err
	}
	for _, other := range p.Environments {
		if stands, otherErr := at(other); otherErr == nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "%v: made of what %s declares\n", err, other.Branch)
			return stands, nil
		}
	}
	return snap, err
}

// scopeOf is where the policy of an environment holds.
func scopeOf(p *manifest.Pipeline, e manifest.Environment, rel *manifest.Release) rights.Scope {
	prefix, _, _ := strings.Cut(strings.NewReplacer("${environment}", e.Name, "${pipeline}", p.Name).Replace(p.Naming), "${name}")
	s := rights.Scope{Region: e.Provider.AWS.Region, Account: e.Provider.AWS.Account, Prefix: prefix, Resources: rel.Resources}
	if s.Resources == nil {
		s.Resources = []manifest.Resource{}
	}
	return s
}

// show prints policies, and says what is not in them.
func (g *granting) show(cmd *cobra.Command, grants []rights.Grant, some []rights.Capability) error {
	notes := cmd.ErrOrStderr()
	if len(grants) == 0 { // IAM takes no policy without a statement
		return fmt.Errorf("iam: nothing is needed for %s: no kind in use asks for it", strings.ReplaceAll(capabilityList(some), ",", ", "))
	}
	if g.notice != "" {
		fmt.Fprintln(notes, "no mooring.yaml here: accounts, regions and naming are not known")
	}
	if off := rights.Without(some); len(off) > 0 {
		fmt.Fprintf(notes, "not allowed: %s (--capability adds them)\n", strings.ReplaceAll(capabilityList(off), ",", ", "))
	}
	documents := rights.Documents(grants)
	var out any = documents
	switch size := documents[0].Size(); {
	case len(documents) > 1:
		fmt.Fprintf(notes, "%d documents: together they are over the %d characters that inline policies of a role may have; create a managed policy of each and attach them\n",
			len(documents), rights.InlineLimit)
	default:
		out = documents[0]
		if size > rights.ManagedLimit {
			fmt.Fprintf(notes, "%d characters: over the %d of a managed policy; it fits inline (put-role-policy)\n", size, rights.ManagedLimit)
		}
	}
	return print(cmd, g.output, out, func(w io.Writer) { grantTable(w, grants) })
}

func grantTable(w io.Writer, grants []rights.Grant) {
	row(w, "CAPABILITY", "KIND", "ACTIONS", "RESOURCES", "CONDITION", "COMMENT")
	for _, c := range rights.All() {
		for _, g := range grants {
			if g.Capability == c {
				row(w, c, cellOf(g.Kind), strings.Join(g.Actions, " "), strings.Join(g.Resources, " "), conditionText(g.Where), cellOf(g.Why))
			}
		}
	}
}

func cellOf(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func conditionText(c rights.Condition) string {
	var parts []string
	for _, operator := range slices.Sorted(maps.Keys(c)) {
		for _, key := range slices.Sorted(maps.Keys(c[operator])) {
			parts = append(parts, fmt.Sprintf("%s %s %s", operator, key, strings.Join(c[operator][key], " ")))
		}
	}
	return cellOf(strings.Join(parts, ", "))
}

func session(t manifest.AWSTarget) rights.Session {
	return rights.Session{Role: t.RoleArn, ExternalID: t.ExternalID, Tags: t.SessionTags}
}

// showTrust prints the trust policy of one environment's role.
func (g *granting) showTrust(cmd *cobra.Command, targets []manifest.Environment) error {
	if len(targets) > 1 {
		return errors.New("iam: --trust is of one role: name its environment with --environment")
	}
	e := targets[0]
	target := *e.Provider.AWS
	if target.RoleArn == "" {
		return noRole(e)
	}
	principal := g.principal
	if principal == "" {
		account := strings.SplitN(target.RoleArn, ":", 6)
		principal = strings.Join(account[:3], ":") + "::" + account[4] + ":root"
		fmt.Fprintf(cmd.ErrOrStderr(), "trusted: whoever account %s lets; name the daemon's own identity with --principal ARN\n", account[4])
	}
	d := rights.Trust(principal, session(target))
	return print(cmd, g.output, d, func(w io.Writer) { documentTable(w, d) })
}

func noRole(e manifest.Environment) error {
	return fmt.Errorf("iam: environment %s names no roleArn: the daemon's own identity needs what `mooring iam --environment %s` prints", e.Name, e.Name)
}

// showCalling prints what the daemon's own identity needs.
func (g *granting) showCalling(cmd *cobra.Command, targets []manifest.Environment) error {
	var sessions []rights.Session
	for _, e := range targets {
		if e.Provider.AWS.RoleArn != "" {
			sessions = append(sessions, session(*e.Provider.AWS))
			continue
		}
		if len(targets) == 1 {
			return noRole(e)
		}
		fmt.Fprintln(cmd.ErrOrStderr(), noRole(e))
	}
	if len(sessions) == 0 {
		return errors.New("iam: no environment names a roleArn: the daemon's own identity needs what `mooring iam` prints")
	}
	d := rights.Calling(sessions)
	return print(cmd, g.output, d, func(w io.Writer) { documentTable(w, d) })
}

func documentTable(w io.Writer, d rights.Document) {
	row(w, "SID", "ACTIONS", "RESOURCES", "PRINCIPAL", "CONDITION")
	for _, s := range d.Statement {
		row(w, s.Sid, strings.Join(s.Action, " "), cellOf(strings.Join(s.Resource, " ")), cellOf(strings.Join(s.Principal["AWS"], " ")), conditionText(s.Condition))
	}
}
