package adopt

import (
	"maps"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// link puts references in place of the addresses of what is taken too. Where a
// reference would close a circle, or is not allowed, the address stays.
func (c *composer) link() {
	to := map[string]any{}
	for _, d := range c.drafts {
		for _, attribute := range slices.Sorted(maps.Keys(d.Addresses)) {
			if ref := reference(d, attribute); ref != nil && d.Addresses[attribute] != "" {
				to[d.Addresses[attribute]] = ref
			}
		}
		if alias := d.Addresses["alias"]; alias != "" && alias == d.Addresses["arn"] {
			to[frontOf(alias)] = reference(d, "alias")
		}
		if d.Physical != "" && !literal(d.Kind) {
			to[named(d.Kind, d.Physical)] = map[string]any{"ref": d.Ref().String(), "attribute": "name"}
		}
	}
	for _, d := range c.drafts {
		switch d.Kind {
		case manifest.KindFunction:
			c.linkFunction(d, to)
		case manifest.KindQueue:
			if redrive, ok := d.Spec["redrive"].(map[string]any); ok && !c.circular(d) {
				swap(redrive, "deadLetter", to, manifest.KindQueue)
			}
			linkPolicy(d, to, manifest.KindTopic, manifest.KindBucket)
		case manifest.KindWorkflow:
			d.Spec["definition"] = c.inDefinition(d.Spec["definition"], to)
			linkRole(d, to)
			linkMembers(d.Spec, to)
		case manifest.KindTopic:
			linkPolicy(d, to, manifest.KindBucket)
			linkMembers(d.Spec, to)
		case manifest.KindRule, manifest.KindSchedule, manifest.KindAPI, manifest.KindLogGroup, manifest.KindAlarm:
			linkMembers(d.Spec, to)
		case manifest.KindRole:
			if statements, ok := d.Spec["statements"]; ok {
				d.Spec["statements"] = inDocument(statements, to, early...)
			}
			if policies, ok := d.Spec["inlinePolicies"]; ok {
				d.Spec["inlinePolicies"] = inDocument(policies, to, early...)
			}
		}
	}
}

// reference is what stands for an attribute of a draft.
func reference(d *manifest.Draft, attribute string) map[string]any {
	switch {
	case d.Kind == manifest.KindSecret && attribute == "arn":
		return map[string]any{"secret": d.Name}
	case d.Kind == manifest.KindParameter && attribute == "name":
		return map[string]any{"parameter": d.Name}
	case literal(d.Kind):
		return nil
	case d.Kind == manifest.KindLayer && attribute != "arn", attribute == "executeArn":
		return nil
	case attribute == "alias":
		if alias, _ := d.Spec["alias"].(string); alias != "" && alias != "none" {
			return map[string]any{"ref": fronts[d.Kind] + "/" + d.Name + "." + alias}
		}
		return map[string]any{"ref": d.Ref().String()}
	case attribute == "arn":
		return map[string]any{"ref": d.Ref().String()}
	}
	return map[string]any{"ref": d.Ref().String(), "attribute": attribute}
}

// fronts are the kinds of what stands in front of versions.
var fronts = map[string]string{manifest.KindFunction: manifest.KindAlias, manifest.KindWorkflow: manifest.KindWorkflowAlias}

// swap puts a reference in place of the address under key, if it is of one of
// the kinds. A place that takes only targets gets the short form.
func swap(m map[string]any, key string, to map[string]any, kinds ...string) {
	address, _ := m[key].(string)
	ref, _ := to[address].(map[string]any)
	if front, ok := to[frontOf(address)].(map[string]any); ok && slices.Contains(kinds, manifest.KindAlias) {
		ref = front
	}
	text, _ := ref["ref"].(string)
	parsed, err := manifest.ParseRef(text)
	if err != nil || ref["attribute"] != nil || len(kinds) > 0 && !slices.Contains(kinds, parsed.Kind) {
		return
	}
	m[key] = text
}

func (c *composer) linkFunction(d *manifest.Draft, to map[string]any) {
	linkRole(d, to)
	linkEnvironment(d, to)
	if dead, ok := d.Spec["deadLetterConfig"].(map[string]any); ok {
		swap(dead, "targetArn", to, manifest.KindQueue, manifest.KindTopic)
		if text, short := dead["targetArn"].(string); short && to[text] == nil {
			d.Spec["deadLetterConfig"] = text
		}
	}
	if async, ok := d.Spec["asyncInvoke"].(map[string]any); ok {
		swap(async, "onSuccess", to, manifest.KindQueue, manifest.KindTopic, manifest.KindFunction)
		swap(async, "onFailure", to, manifest.KindQueue, manifest.KindTopic, manifest.KindFunction, manifest.KindBucket)
	}
	permissions, _ := d.Spec["permissions"].(map[string]any)
	for _, p := range permissions {
		if permission, ok := p.(map[string]any); ok {
			swap(permission, "sourceArn", to, manifest.KindQueue, manifest.KindTopic, manifest.KindRule, manifest.KindBucket, manifest.KindLogGroup)
		}
	}
	triggers, _ := d.Spec["triggers"].(map[string]any)
	for _, t := range triggers {
		if trigger, ok := t.(map[string]any); ok && c.fits(d, trigger, to) {
			swap(trigger, "queue", to, manifest.KindQueue)
		}
	}
	linkMembers(map[string]any{"triggers": triggers, "logGroup": d.Spec["logGroup"]}, to)
	layers, _ := d.Spec["layers"].([]any)
	for i, layer := range layers {
		text, _ := layer.(string)
		if ref, ok := to[text].(map[string]any); ok && ofKind(ref, manifest.KindLayer) {
			layers[i] = ref["ref"]
		}
	}
}

func ofKind(ref map[string]any, kinds ...string) bool {
	text, _ := ref["ref"].(string)
	parsed, err := manifest.ParseRef(text)
	return err == nil && slices.Contains(kinds, parsed.Kind)
}

// fits: a repository refuses a queue whose visibility timeout is under its
// function's timeout. AWS lets it come about; then the address stays.
func (c *composer) fits(fn *manifest.Draft, trigger, to map[string]any) bool {
	address, _ := trigger["queue"].(string)
	for _, d := range c.drafts {
		if d.Kind == manifest.KindQueue && d.Addresses["arn"] == address && address != "" {
			if number(d.Spec["visibilityTimeout"], 30) < number(fn.Spec["timeout"], 3) {
				fn.Leave("the visibility timeout of %s is under the function's timeout, so its messages are received twice; raise it, then name the queue by reference", d.Ref())
				return false
			}
		}
	}
	return true
}

// circular: the queue is its own dead-letter queue, at the end of the line.
func (c *composer) circular(d *manifest.Draft) bool {
	start, at := d, d
	for range len(c.drafts) + 1 {
		redrive, ok := at.Spec["redrive"].(map[string]any)
		if !ok {
			return false
		}
		next := c.byAddress(redrive["deadLetter"])
		if next == nil {
			return false
		}
		if next == start {
			return true
		}
		at = next
	}
	return true
}

// byAddress finds a draft by its ARN or by the reference that stands for it.
func (c *composer) byAddress(x any) *manifest.Draft {
	text, _ := x.(string)
	for _, d := range c.drafts {
		if text != "" && (d.Addresses["arn"] == text || d.Ref().String() == text) {
			return d
		}
	}
	return nil
}

// frontOf is the key of what stands in front of a function that another tool's
// file names by one address only.
func frontOf(address string) string { return "\x00front/" + address }

// linkPolicy puts references into the policy of a queue or a topic.
func linkPolicy(d *manifest.Draft, to map[string]any, kinds ...string) {
	if policy, ok := d.Spec["policy"]; ok {
		d.Spec["policy"] = inDocument(policy, to, kinds...)
	}
}

// early kinds wait for no function, so that a function, and what holds its
// rights, may wait for them.
var early = []string{manifest.KindQueue, manifest.KindTopic, manifest.KindTable, manifest.KindBucket}

// inDocument replaces addresses that stand alone in a policy document. What
// holds rights never waits for a function or another role.
func inDocument(x any, to map[string]any, kinds ...string) any {
	switch x := x.(type) {
	case map[string]any:
		for key, value := range x {
			x[key] = inDocument(value, to, kinds...)
		}
	case []any:
		for i := range x {
			x[i] = inDocument(x[i], to, kinds...)
		}
	case string:
		if ref, ok := to[x].(map[string]any); ok && ref["attribute"] == nil && ofKind(ref, kinds...) {
			return maps.Clone(ref)
		}
	}
	return x
}

// unlinked leaves out what no reference took the place of.
func (c *composer) unlinked(d *manifest.Draft) {
	d.Spec, _ = withoutPlaceholders(d, "", d.Spec).(map[string]any)
}

// decisive members make a thing what it is, or bound it: without one of them
// the whole is left out.
var decisive = map[string]bool{
	"queue": true, "topic": true, "table": true, "stream": true, "bucket": true, "api": true, "function": true, "targetArn": true, "deadLetter": true, "sourceArn": true,
	"Statement": true, "dimensions": true, "arn": true, "roleArn": true, "destinationArn": true, "logGroupArn": true, "endpoint": true,
	"Resource": true, "NotResource": true, "Principal": true, "Action": true, "Condition": true,
}

func withoutPlaceholders(d *manifest.Draft, at string, x any) any {
	switch x := x.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(x)) {
			if x[key] == nil {
				continue // it says null, which may mean something
			}
			v := withoutPlaceholders(d, at+"."+key, x[key])
			if list, ok := v.([]any); ok && key == "Statement" && len(list) == 0 {
				v = nil // a policy that says nothing is none
			}
			switch {
			case v == nil && (decisive[key] || strings.HasSuffix(at, ".dimensions")):
				return nil
			case v == nil:
				delete(x, key)
			default:
				x[key] = v
			}
		}
	case []any:
		out := x[:0]
		for _, item := range x {
			if v := withoutPlaceholders(d, at, item); v != nil || item == nil {
				out = append(out, v)
			}
		}
		return out
	case string:
		if strings.Contains(x, Placeholder) {
			d.Leave("%s names %s, and no reference can stand there", strings.TrimPrefix(at, "."), x[strings.LastIndexByte(x, ':')+1:])
			return nil
		}
	}
	return x
}
