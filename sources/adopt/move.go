package adopt

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// secrets takes values that look like secrets out of the drafts: a variable
// becomes a reference that is not in force yet. Anything else of a function is
// left out; of other kinds the whole is, because a plan would take away what
// its manifest does not say.
func (c *composer) secrets() {
	c.values, c.scrubbed = map[string]string{}, map[manifest.Ref]string{}
	addresses := c.addresses()
	for _, d := range c.drafts {
		if d.Kind == manifest.KindFunction {
			c.suspect(d, addresses)
		}
	}
	for _, d := range c.drafts {
		if env, ok := d.Spec["environment"].(map[string]any); ok {
			c.replace(d, env)
		}
		c.unsubscribe(d)
		rest := d.Spec
		for _, key := range slices.Sorted(maps.Keys(rest)) {
			if key != "environment" && key != "artifact" {
				rest[key] = c.scrub(d, key, rest[key])
			}
		}
		c.describe(d)
	}
	c.drafts = slices.DeleteFunc(c.drafts, func(d *manifest.Draft) bool {
		at := c.scrubbed[d.Ref()]
		if at == "" || d.Kind == manifest.KindFunction {
			return false
		}
		c.result.Skipped = append(c.result.Skipped, Skipped{
			Kind: d.Kind, Name: nameIn(d), Why: at + " has the form of a secret, and a manifest without it would take it away: move it, and import again",
		})
		return true
	})
}

// unsubscribe leaves out the subscriptions and triggers that hold secrets.
func (c *composer) unsubscribe(d *manifest.Draft) {
	for _, member := range []string{"subscriptions", "triggers"} {
		all, _ := d.Spec[member].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(all)) {
			if c.tells(all[key]) {
				delete(all, key)
				d.Leave("%s.%s holds what has the form of a secret, and is not written down; it stays as it is, and drift tells of it", member, key)
			}
		}
	}
}

// tells is true for what has the form of a secret anywhere in it.
func (c *composer) tells(x any) bool {
	switch x := x.(type) {
	case map[string]any:
		for key, value := range x {
			if told[key] && secretInside(value, 0) || c.tells(value) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(x, c.tells)
	case string:
		return c.telltale(x)
	}
	return false
}

// addresses of things: a variable that holds one holds no secret.
func (c *composer) addresses() map[string]bool {
	out := map[string]bool{}
	for _, d := range c.drafts {
		for _, text := range d.Addresses {
			out[text] = true
		}
	}
	return out
}

// suspect collects the values of a function's variables that look like
// secrets.
func (c *composer) suspect(d *manifest.Draft, addresses map[string]bool) {
	env, _ := d.Spec["environment"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		value, ok := env[name].(string)
		if !ok || addresses[value] || suspicion(name, value) == "" {
			continue
		}
		if _, known := c.values[value]; !known {
			c.values[value] = c.freeSecret(secretName(d, name))
		}
	}
}

// secretName is where a variable of a function is to move: checkout/stripe-key.
func secretName(d *manifest.Draft, variable string) string {
	owner := d.Group
	if owner == "" {
		owner = d.Name
	}
	return clean(owner) + "/" + strings.ToLower(strings.ReplaceAll(variable, "_", "-"))
}

// freeSecret is a name no other value moves to, and no secret has.
func (c *composer) freeSecret(name string) string {
	taken := func(try string) bool {
		for _, other := range c.values {
			if other == try {
				return true
			}
		}
		return slices.ContainsFunc(c.drafts, func(d *manifest.Draft) bool { return d.Kind == manifest.KindSecret && d.Name == try })
	}
	for i, try := 2, name; ; i++ {
		if !taken(try) {
			return try
		}
		try = fmt.Sprint(name, "-", i)
	}
}

// replace writes references in place of secrets. A value that is secret under
// one name is secret under all.
func (c *composer) replace(d *manifest.Draft, env map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		value, ok := env[name].(string)
		if !ok {
			continue
		}
		why := suspicion(name, value)
		secret, known := c.values[value]
		if !known {
			continue
		}
		if why == "" {
			if len(value) < telling {
				continue // a short word means something else elsewhere
			}
			why = "the same value is a secret elsewhere"
		}
		env[name] = map[string]any{"secret": secret, "pending": true}
		c.result.Moves = append(c.result.Moves, Move{d.Ref().String(), name, secret, why})
	}
}

// telling is how long a value must be for its appearance elsewhere to be no
// coincidence.
const telling = 12

// told are members that code is told, in which names tell of secrets too.
var told = map[string]bool{"input": true, "stageVariables": true}

// scrub leaves out text that has the form of a secret, or is one.
func (c *composer) scrub(d *manifest.Draft, at string, x any) any {
	switch x := x.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(x)) {
			v := c.scrub(d, at+"."+key, x[key])
			if told[key] && secretInside(x[key], 0) {
				d.Leave("%s.%s has the form of a secret, and is not written down", at, key)
				c.scrubbed[d.Ref()] = at + "." + key
				v = nil
			}
			if v == nil && x[key] != nil {
				delete(x, key)
			} else {
				x[key] = v
			}
		}
	case []any:
		out := x[:0]
		for i := range x {
			if v := c.scrub(d, fmt.Sprintf("%s[%d]", at, i), x[i]); v != nil || x[i] == nil {
				out = append(out, v)
			}
		}
		return out
	case string:
		if c.telltale(x) {
			d.Leave("%s has the form of a secret, and is not written down", at)
			c.scrubbed[d.Ref()] = at
			return nil
		}
	}
	return x
}

// describe drops nulls that scrubbing a top-level field left.
func (c *composer) describe(d *manifest.Draft) {
	for key, v := range d.Spec {
		if v == nil {
			delete(d.Spec, key)
		}
	}
}

// telltale text has the form of a secret, or holds one of the values found.
func (c *composer) telltale(text string) bool {
	if shape(text) != "" {
		return true
	}
	for value := range c.values {
		if len(value) >= telling && strings.Contains(text, value) {
			return true
		}
	}
	return false
}

// leaks is the last look: no file holds a value that was taken out.
func (c *composer) leaks() error {
	for _, at := range c.result.paths() {
		for value, secret := range c.values {
			if len(value) >= telling && bytes.Contains(c.result.Files[at], []byte(value)) {
				return fmt.Errorf("write %s: it would hold the value that is to move to secret %s; nothing is written", at, secret)
			}
		}
	}
	return nil
}
