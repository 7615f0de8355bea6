package adopt

import (
	"maps"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// addressed are the members of specs that name another thing by its address,
// with the kinds a reference there may be to; none means any.
var addressed = map[string][]string{
	"arn":    {manifest.KindQueue, manifest.KindTopic, manifest.KindWorkflow, manifest.KindFunction, manifest.KindAlias, manifest.KindWorkflowAlias},
	"bucket": {manifest.KindBucket}, "topic": {manifest.KindTopic}, "table": {manifest.KindTable},
	"function": {manifest.KindFunction, manifest.KindAlias}, "deadLetter": {manifest.KindQueue}, "onFailure": {manifest.KindQueue, manifest.KindTopic, manifest.KindBucket},
	"queue": {manifest.KindQueue}, "roleArn": {manifest.KindRole}, "logGroupArn": {manifest.KindLogGroup},
	"destinationArn": {manifest.KindLogGroup, manifest.KindAlias},
}

// addressedLists are those that are lists.
var addressedLists = map[string]bool{"alarmActions": true, "okActions": true, "insufficientDataActions": true}

// foreign members are documents of another language, which are not looked into.
var foreign = map[string]bool{"input": true, "filterPolicy": true, "eventPattern": true, "policy": true, "deliveryPolicy": true, "archivePolicy": true, "definition": true}

// linkMembers puts references where members of a spec name what is taken too.
func linkMembers(x any, to map[string]any) {
	switch x := x.(type) {
	case map[string]any:
		for key, value := range x {
			switch {
			case foreign[key]:
			case key == "queue" && x["batchSize"] != nil: // a trigger, which has rules of its own
			case addressed[key] != nil:
				if attribute := swapped(x, key, to, addressed[key]); !attribute {
					linkMembers(value, to)
				}
			case key == "dimensions":
				linkDimensions(value, to)
			case addressedLists[key]:
				linkList(value, to)
			default:
				linkMembers(value, to)
			}
		}
	case []any:
		for _, item := range x {
			linkMembers(item, to)
		}
	}
}

// swapped is swap for members of any attribute: a table is named by the ARN of
// its stream, which stands for the table.
func swapped(m map[string]any, key string, to map[string]any, kinds []string) bool {
	address, isText := m[key].(string)
	ref, _ := to[address].(map[string]any)
	if key == "table" && ref["attribute"] == "streamArn" && ofKind(ref, kinds...) {
		m[key] = ref["ref"]
		return true
	}
	swap(m, key, to, kinds...)
	return isText
}

func linkList(x any, to map[string]any) {
	list, _ := x.([]any)
	for i, item := range list {
		text, _ := item.(string)
		ref, _ := to[text].(map[string]any)
		if ref["attribute"] == nil && ofKind(ref, manifest.KindTopic, manifest.KindAlias, manifest.KindFunction) {
			list[i] = ref["ref"]
		}
	}
}

// linkDimensions names functions, queues and the like, which metrics know by
// name.
func linkDimensions(x any, to map[string]any) {
	dimensions, _ := x.(map[string]any)
	for name, value := range dimensions {
		text, _ := value.(string)
		if ref, ok := to[text].(map[string]any); ok && ref["ref"] != nil {
			dimensions[name] = maps.Clone(ref)
		} else if ref, ok := to[named(strings.TrimSuffix(name, "Name"), text)].(map[string]any); ok {
			dimensions[name] = maps.Clone(ref) // FunctionName, QueueName and so on
		}
	}
}

// named is the key of a thing by its kind and name, which alone could mean
// anything.
func named(kind, name string) string { return "\x00" + kind + "/" + name }

func linkRole(d *manifest.Draft, to map[string]any) {
	role, ok := d.Spec["role"].(map[string]any)
	if !ok {
		return
	}
	arn, _ := role["arn"].(string)
	if ref, ok := to[arn].(map[string]any); ok && ofKind(ref, manifest.KindRole) {
		d.Spec["role"] = ref
	}
	if statements, ok := role["statements"]; ok {
		role["statements"] = inDocument(statements, to, early...)
	}
}

// linkEnvironment puts references where variables hold addresses, and the
// names of tables and buckets where the variable says that it holds one.
func linkEnvironment(d *manifest.Draft, to map[string]any) {
	env, _ := d.Spec["environment"].(map[string]any)
	for name, value := range env {
		text, _ := value.(string)
		ref, ok := to[text].(map[string]any)
		for _, kind := range []string{manifest.KindTable, manifest.KindBucket, manifest.KindTopic, manifest.KindQueue} {
			if by, found := to[named(kind, text)].(map[string]any); found && !ok && strings.Contains(strings.ToUpper(name), strings.ToUpper(kind)) {
				ref, ok = by, true
			}
		}
		if ok && (ref["ref"] == nil || ofKind(ref, early...)) { // secrets and parameters have no ref
			env[name] = maps.Clone(ref)
		}
	}
}

// inDefinition puts references into a state machine: a function by the alias
// it is called through, queues and topics by their addresses. One that calls
// another names it by its ARN: two may call each other.
func (c *composer) inDefinition(x any, to map[string]any) any {
	switch x := x.(type) {
	case map[string]any:
		for key, value := range x {
			x[key] = c.inDefinition(value, to)
		}
	case []any:
		for i := range x {
			x[i] = c.inDefinition(x[i], to)
		}
	case string:
		ref, _ := to[x].(map[string]any)
		if fn, isFront := c.front(x); isFront {
			return map[string]any{"ref": fn.Ref().String()}
		}
		if ref != nil && ofKind(ref, manifest.KindQueue, manifest.KindTopic) {
			return maps.Clone(ref)
		}
	}
	return x
}

// front finds the function whose traffic goes through an address.
func (c *composer) front(address string) (*manifest.Draft, bool) {
	for _, d := range c.drafts {
		if d.Kind == manifest.KindFunction && address != "" && d.Addresses["alias"] == address {
			return d, true
		}
	}
	return nil, false
}

// behind names the APIs, buckets and tables that functions stand behind: routes
// are made only in an API of the same repository, and what another tool's file
// names has no address yet.
func (c *composer) behind() {
	to := map[string]string{} // by address and by reference
	for _, d := range c.drafts {
		if form := standing[d.Kind]; form != "" {
			for _, address := range []string{d.Addresses["arn"], d.Addresses["streamArn"], d.Ref().String()} {
				to[form+" "+address] = d.Ref().String()
			}
		}
	}
	for _, d := range c.drafts {
		triggers, _ := d.Spec["triggers"].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(triggers)) {
			trigger, _ := triggers[key].(map[string]any)
			for kind, form := range standing {
				address, is := trigger[form].(string)
				switch ref := to[form+" "+address]; {
				case !is:
				case ref != "":
					trigger[form] = ref
				case form == "api" || strings.HasPrefix(address, Placeholder) || strings.HasPrefix(address, kind+"/"):
					delete(triggers, key)
					d.Leave("triggers.%s: the %s it stands behind is not taken; what calls stays as it is, and so does the statement that lets it", key, kind)
				}
			}
		}
	}
}

// standing are the members by which triggers name what stands before them.
var standing = map[string]string{manifest.KindAPI: "api", manifest.KindBucket: "bucket", manifest.KindTable: "table"}
