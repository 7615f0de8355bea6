package manifest

import "strings"

// probed is a function's name as a rule about probes gives it.
type probed struct {
	environment string // of the Pipeline; "" in a manifest, which speaks of all
	name, path  string
	at          Position
}

// probedIn are the names that the probe of a rollout gives.
func probedIn(rollout *node, path string) (out []probed) {
	list := rollout.get("analysis").get("probe").get("functions")
	if list == nil {
		return nil
	}
	for i, item := range list.items {
		if strings.Contains(item.text, "${") {
			continue // filled in by an environment
		}
		out = append(out, probed{name: item.text, path: path + ".analysis.probe.functions[" + itoa(i) + "]", at: item.pos()})
	}
	return out
}

// probes remembers the names that environments' rules about probes give.
func (c *pipelineCheck) probes() {
	for i, e := range c.p.Environments {
		for _, name := range probedIn(c.list.items[i].get("rollout"), "spec.environments["+itoa(i)+"].rollout") {
			name.environment = e.Name
			c.p.probed = append(c.p.probed, name)
		}
	}
}

// probes are the names that the manifests' own rules about probes give.
func (r *renderer) probes() (out []probed) {
	for _, x := range r.expansions {
		if x.function != (Ref{}) {
			out = append(out, probedIn(x.doc.root.get("spec").get("rollout"), "spec.rollout")...)
		}
	}
	for i, p := range r.overlay.spec.Patches {
		out = append(out, probedIn(p.Patch.node.get("spec").get("rollout"), "spec.patches["+itoa(i)+"].patch.spec.rollout")...)
	}
	return out
}

// Strays are names of functions that rules about a release give, in the
// Pipeline and in its manifests, and that none of its functions has. They are no
// reason to refuse the release: an earlier one, or one of another environment,
// may have them.
func (p *Pipeline) Strays(rel *Release) Faults {
	var known []string
	for ref := range rel.Functions {
		if ref.Kind == KindFunction {
			known = append(known, ref.Name)
		}
	}
	var out Faults
	for _, names := range [][]probed{p.probed, rel.probed} {
		for _, n := range names {
			if _, there := rel.Functions[Ref{KindFunction, n.name}]; there || n.environment != "" && n.environment != rel.Environment {
				continue
			}
			out = append(out, Fault{n.at, n.path, "no function " + quote(n.name) + " in " + rel.Environment, didYouMean(n.name, known)})
		}
	}
	return out
}
