package manifest

// triggerSource is one kind of thing that may invoke a function: a further one
// is one file, and one line in triggerSources.
type triggerSource interface {
	// expand makes the children that stand for it. They name the alias.
	expand(c *children, key string)
	// clash names what no two triggers of a function may share; the zero clash
	// collides with nothing.
	clash() clash
	// grant is what the function's own role needs to read the source; the zero
	// grant for sources that call the function themselves.
	grant() grant
}

// grant is a right on one thing. Those with the same sid make one statement.
type grant struct {
	sid       string
	actions   []string
	resources []any // as Value.plain
}

// clash is the identity of a trigger within its function, and what to say of
// a second one.
type clash struct {
	identity string
	message  string // followed by the other's key
	hint     string
}

// trigger is one of what may invoke a function.
type trigger struct{ Source triggerSource }

// triggerSources are the forms a trigger may be written in, told apart by
// their first member.
func triggerSources() []variant {
	return []variant{
		{key: "queue", make: func() any { return &queueTrigger{} }},
		{key: "url", make: func() any { return &urlTrigger{} }},
		{key: "topic", make: func() any { return &topicTrigger{} }},
		{key: "rule", make: func() any { return &ruleTrigger{} }},
		{key: "schedule", make: func() any { return &scheduleTrigger{} }},
		{key: "table", make: func() any { return &tableTrigger{} }},
		{key: "stream", make: func() any { return &streamTrigger{} }},
		{key: "api", make: func() any { return &apiTrigger{} }},
		{key: "bucket", make: func() any { return &bucketTrigger{} }},
	}
}

func (t *trigger) variants() []variant { return triggerSources() }

func (t *trigger) set(_ string, value any) { t.Source, _ = value.(triggerSource) }

// checkTriggers refuses two triggers that would be one.
func (f *functionSpec) checkTriggers(d *decoder, n *node) {
	if n == nil {
		return
	}
	seen := map[string]string{}
	for _, e := range n.entries {
		source := f.Triggers[e.key].Source
		if source == nil { // refused already
			continue
		}
		c := source.clash()
		if other := seen[c.identity]; other != "" {
			d.push("triggers")
			d.fault(e.pos(), c.message+" "+other, c.hint)
			d.pop()
		}
		if c.identity != "" {
			seen[c.identity] = e.key
		}
	}
}
