package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

func pipelineKind() *kind {
	return newKind[pipelineSpec](kind{
		name:     KindPipeline,
		summary:  "mooring.yaml on the control branch: which environments exist, where they live, and in which order content moves through them.",
		role:     rolePipeline,
		nameRule: rule{required: true, maxLen: 64, match: patterns["name"]},
		example: `apiVersion: mooring.dev/v1
kind: Pipeline
metadata: {name: shop}
spec:
  environments:
    - name: preview
      provider: {aws: {region: eu-west-1, account: "111111111111"}}
      rollout: {strategy: allAtOnce}
    - name: production
      after: [preview]
      promotion: auto
      protected: true
      provider: {aws: {region: eu-west-1, account: "222222222222", roleArn: "arn:aws:iam::222222222222:role/mooring"}}
      rollout: {strategy: canary, stages: [{weight: 10, hold: 5m}, {weight: 50, hold: 10m}]}
      drift: {response: revert, interval: 1m}
      checks:
        - {name: smoke, invoke: {function: checkout, payload: {ping: true}, expect: {"$.ok": true}}}
  receivers:
    oncall: {webhook: {url: {fromEnv: ONCALL_URL}, secret: {fromEnv: ONCALL_KEY}}}
`,
	})
}

// pipelineSpec is a Pipeline as written.
type pipelineSpec struct {
	Environments []Environment       `json:"environments" is:"required,minitems=1,maxitems=100" doc:"The environments, in the order they are shown."`
	Naming       string              `json:"naming" is:"default=${environment}-${name},maxlen=100" doc:"Physical names. ${environment}, ${name} and ${pipeline} are known."`
	Receivers    map[string]Receiver `json:"receivers" is:"keys=name" doc:"Where alerts go, by name."`
	Alerts       Alerts              `json:"alerts,omitzero" doc:"When alerts are told. Without it at once, and once."`
	Host         *Host               `json:"host,omitempty" doc:"The service the repository is reviewed on: pull requests, reviews, statuses, webhooks."`
	Evidence     Evidence            `json:"evidence,omitzero" doc:"Signed statements about code: who may make them, and where they are."`
	Signatures   Signatures          `json:"signatures,omitzero" doc:"Signed commits: whose signatures count."`
	Identity     Identity            `json:"identity,omitzero" doc:"Who is known beside personal tokens."`
	Policies     PolicySource        `json:"policies,omitzero" doc:"Where policies are, if not in the folder policies of this branch."`
	Decisions    DecisionLog         `json:"decisions,omitzero" doc:"What decision records do not keep."`
}

// noPipeline is where a tree has no mooring.yaml.
type noPipeline struct{}

func (noPipeline) Error() string {
	return "there is no " + PipelineFile + " here: it stands on the control branch and says which environments there are; a clone of the whole repository is read with --repo, and `mooring init` makes one to start from"
}

func (noPipeline) Unwrap() error { return fs.ErrNotExist }

// LoadPipeline reads mooring.yaml of the control branch, defaults applied and
// everything checked. An error that is Faults is about the file; any other
// wraps why it could not be read (fs.ErrNotExist if it is not there).
func LoadPipeline(tree fs.FS) (*Pipeline, error) {
	if info, err := fs.Lstat(tree, PipelineFile); err == nil && !info.Mode().IsRegular() {
		return nil, Faults{{Position: Position{File: PipelineFile}, Message: "is no plain file"}}
	}
	data, err := readLimited(tree, PipelineFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noPipeline{}
	}
	if err != nil {
		return nil, err
	}
	raws, faults := parseFile(PipelineFile, data)
	raws = slices.DeleteFunc(raws, func(r rawDocument) bool { return r.kind != KindPipeline })
	if len(faults) > 0 {
		return nil, faults.sorted()
	}
	if len(raws) != 1 {
		return nil, Faults{{Position: Position{File: PipelineFile}, Message: fmt.Sprintf("holds %d documents of kind Pipeline", len(raws)), Hint: "want one, that begins with apiVersion: " + APIVersion + " and kind: " + KindPipeline}}
	}
	return readPipeline(raws[0].root)
}

func readPipeline(root *node) (*Pipeline, error) {
	d := &decoder{values: &values{}, literal: true}
	meta, written := d.document(root, kinds[KindPipeline])
	spec := written.(*pipelineSpec)
	d.faults = append(d.faults, d.missing...)
	p := &Pipeline{
		Name: meta.Name, Environments: spec.Environments, Naming: spec.Naming, Receivers: spec.Receivers, Alerts: spec.Alerts,
		Policies: spec.Policies, Decisions: spec.Decisions, Evidence: spec.Evidence, Signatures: spec.Signatures, Identity: spec.Identity, Host: spec.Host, Origin: root.pos(),
	}
	p.Evidence.Path = cmp.Or(p.Evidence.Path, "evidence")
	for i := range p.Environments {
		e := &p.Environments[i]
		if e.Branch == "" {
			e.Branch = "env/" + e.Name
		}
		if len(e.Rollout.Stages) == 0 { // the file does not say
			e.Rollout = defaultRollout()
		}
	}
	if list := root.get("spec").get("environments"); list != nil && len(list.items) == len(p.Environments) {
		c := &pipelineCheck{d: d, p: p, list: list}
		c.check(root.get("spec"))
	}
	if err := d.faults.sorted(); err != nil {
		return nil, err
	}
	p.templates = map[string]Position{}
	for name, r := range p.Receivers {
		if r.Webhook != nil && r.Webhook.Template != "" {
			p.templates[name] = root.get("spec").get("receivers").get(name).get("webhook").get("template").pos()
		}
	}
	return p, nil
}

// Templates are the receivers' templates that parse refuses. What a template
// may name is known where alerts are sent.
func (p *Pipeline) Templates(parse func(text, contentType string) error) Faults {
	var out Faults
	for _, name := range slices.Sorted(maps.Keys(p.templates)) {
		w := p.Receivers[name].Webhook
		if err := parse(w.Template, w.ContentType); err != nil {
			out = append(out, Fault{p.templates[name], "spec.receivers." + name + ".webhook.template", err.Error(), "it is a Go text/template over an alert; docs/alerts.md has one"})
		}
	}
	return out
}

// pipelineCheck holds environments against each other.
type pipelineCheck struct {
	d    *decoder
	p    *Pipeline
	list *node
}

func (c *pipelineCheck) fault(i int, field, message, hint string) {
	at := c.list.items[i]
	path := "spec.environments[" + itoa(i) + "]"
	if n := at.get(field); n != nil {
		at, path = n, path+"."+field
	}
	c.d.faults = append(c.d.faults, Fault{at.pos(), path, message, hint})
}

func (c *pipelineCheck) check(spec *node) {
	names := map[string]int{}
	type place struct{ branch, path string }
	places := map[place]int{}
	for i, e := range c.p.Environments {
		if e.Name == "" {
			continue // told
		}
		if _, twice := names[e.Name]; twice {
			c.fault(i, "name", "environment "+e.Name+" is declared twice", "")
		}
		names[e.Name] = i
		at := place{e.Branch, strings.Trim(e.Path, "/")}
		if j, twice := places[at]; twice {
			c.fault(i, "branch", "stands on the same branch as "+c.p.Environments[j].Name, "give each a branch, or a path of its own")
		}
		places[at] = i
		c.checkTarget(i, e)
		c.checkVerify(i, e)
	}
	c.probes()
	c.checkOrder(names)
	c.checkNaming(spec)
	c.checkPolicies(spec.get("policies"))
	c.checkPeople(spec.get("host"), names)
	c.checkIdentity(spec.get("identity"), names)
}

func (c *pipelineCheck) checkTarget(i int, e Environment) {
	if provider := c.list.items[i].get("provider"); provider != nil && (e.Provider.AWS == nil) == (e.Provider.Memory == nil) {
		c.fault(i, "provider", "needs one provider", "as provider: {aws: {region: eu-west-1}}")
	}
	c.checkChecks(i, e)
	if n := c.list.items[i].get("path"); n != nil && slices.Contains(strings.Split(e.Path, "/"), "..") {
		c.fault(i, "path", "cannot be "+quote(e.Path), "a path stays inside the repository")
	}
}

// checkOrder refuses unknown names and cycles in after.
func (c *pipelineCheck) checkOrder(names map[string]int) {
	var known []string
	for _, e := range c.p.Environments {
		known = append(known, e.Name)
	}
	for i, e := range c.p.Environments {
		for _, before := range e.After {
			if _, found := names[before]; !found {
				c.fault(i, "after", "no environment "+quote(before), didYouMean(before, known))
			}
		}
	}
	state := map[string]int{}
	var path []string
	var visit func(name string)
	visit = func(name string) {
		state[name] = 1
		path = append(path, name)
		for _, before := range c.p.Environments[names[name]].After {
			if _, found := names[before]; !found {
				continue
			}
			switch state[before] {
			case 0:
				visit(before)
			case 1:
				loop := append(slices.Clone(path[slices.Index(path, before):]), before)
				c.fault(names[name], "after", "comes after itself: "+strings.Join(loop, " → "), "break the cycle")
			}
		}
		path = path[:len(path)-1]
		state[name] = 2
	}
	for _, e := range c.p.Environments {
		if e.Name != "" && state[e.Name] == 0 {
			visit(e.Name)
		}
	}
}

// checkNaming refuses names that could not tell functions, or environments
// that share an account, apart.
func (c *pipelineCheck) checkNaming(spec *node) {
	report := func(message, hint string) {
		at := spec
		if n := spec.get("naming"); n != nil {
			at = n
		}
		c.d.faults = append(c.d.faults, Fault{at.pos(), "spec.naming", message, hint})
	}
	rest := strings.NewReplacer("${environment}", "", "${name}", "", "${pipeline}", "").Replace(c.p.Naming)
	switch {
	case !strings.Contains(c.p.Naming, "${name}"):
		report("needs ${name}", "as ${environment}-${name}")
	case rest != "" && !patterns["name"].re.MatchString(rest):
		report("holds "+quote(rest), "${environment}, ${name}, ${pipeline}, letters, digits, - and _")
	}
	if strings.Contains(c.p.Naming, "${environment}") {
		return
	}
	type home struct{ account, region, role, endpoint string }
	homes := map[home]string{}
	for i, e := range c.p.Environments {
		if e.Provider.AWS == nil {
			continue
		}
		a := e.Provider.AWS
		at := home{a.Account, a.Region, a.RoleArn, a.Endpoint}
		if other := homes[at]; other != "" {
			c.fault(i, "provider", "shares account and region with "+other+", and naming has no ${environment}", "names would clash")
		}
		homes[at] = e.Name
	}
}

// decodeNode reads a secret: {fromEnv: …} or {fromFile: …}; text only where
// the schema does not say secret.
func (s *Secret) decodeNode(d *decoder, n *node, r *rule) {
	if n.kind == stringNode && !r.secret {
		s.Inline = n.text
		switch {
		case r.match != nil && !r.match.re.MatchString(n.text):
			d.fault(n.pos(), "is not valid here", "want "+r.match.want) // not repeated: it may be a secret
		case r.match == nil && !patterns["url"].re.MatchString(n.text):
			d.fault(n.pos(), "is no http or https URL", "")
		}
		return
	}
	if n.kind != mapNode {
		d.fault(n.pos(), "a secret does not stand in the repository", "as {fromEnv: NAME} or {fromFile: /path}")
		return
	}
	var doc secretDoc
	d.into(n, &doc)
	s.FromEnv, s.FromFile = doc.FromEnv, doc.FromFile
}

type secretDoc struct {
	FromEnv  string `json:"fromEnv" is:"match=variable" doc:"The environment variable of the daemon that holds it."`
	FromFile string `json:"fromFile" doc:"The file that holds it; read again when it changes."`
}

func (s *Secret) writtenAs() any { return &secretDoc{} }

func (s *secretDoc) check(d *decoder, n *node) {
	if (s.FromEnv == "") == (s.FromFile == "") {
		d.fault(n.pos(), "needs fromEnv or fromFile", "one of them")
	}
}
