package adopt

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// report writes what a person is to read: what to move, what was left, what
// was not taken.
func (c *composer) report() {
	r := c.result
	slices.SortFunc(r.Moves, func(a, b Move) int {
		return cmp.Or(strings.Compare(a.Function, b.Function), strings.Compare(a.Variable, b.Variable))
	})
	slices.SortStableFunc(r.Skipped, func(a, b Skipped) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	})
	var b strings.Builder
	fmt.Fprintf(&b, "# Import\n\n%s. %d resources are declared here.\n", cmp.Or(c.o.Source, "Read from what lives"), len(r.Resources))
	b.WriteString("Mooring does not read this file: delete it when nothing in it is left to do.\n")
	c.reportMoves(&b)
	if len(r.Unmanaged) > 0 {
		b.WriteString("\n## Code that something else brings\n\nIts artifact is `unmanaged`: Mooring tells when it changes and never writes it. To let releases bring the code, give the artifact\na `uri` and the `digest` of what was tested, or import again with `--artifacts`.\n\n")
		for _, ref := range r.Unmanaged {
			fmt.Fprintf(&b, "- %s\n", ref)
		}
	}
	c.reportTools(&b)
	if len(r.Left) > 0 {
		b.WriteString("\n## What the manifests do not say\n\n")
		for _, l := range r.Left {
			fmt.Fprintf(&b, "- %s%s\n", prefixed(l.Resource), line(l.What))
		}
	}
	if len(r.Skipped) > 0 {
		b.WriteString("\n## What was not taken\n\n")
		for _, s := range r.Skipped {
			how := ""
			if s.Tool != "" {
				how = "; to take it: `--take " + s.Tool + "`"
			}
			fmt.Fprintf(&b, "- %s %s: %s%s\n", s.Kind, line(s.Name), line(s.Why), how)
		}
	}
	r.Files[ReportFile] = []byte(b.String())
}

// stopping is how each tool lets go of what it made without deleting it.
var stopping = map[string]string{
	"cloudformation": "set `DeletionPolicy: Retain` and `UpdateReplacePolicy: Retain` on them, deploy once, then take them out of the template",
	"sam":            "set `DeletionPolicy: Retain` and `UpdateReplacePolicy: Retain` on them, deploy once, then take them out of the template",
	"cdk":            "set `RemovalPolicy.RETAIN` on them, deploy once, then take them out of the app",
	"serverless":     "set `DeletionPolicy: Retain` on them under `resources.extensions`, deploy once, then take them out of serverless.yml",
	"sst":            "set `removal: \"retain\"`, deploy once, then take them out of the app",
	"terraform":      "take them out of the state with `terraform state rm`, or by `removed` blocks with `destroy = false`, and out of the files",
	"opentofu":       "take them out of the state with `tofu state rm`, or by `removed` blocks with `destroy = false`, and out of the files",
	"pulumi":         "take them out of the state with `pulumi state delete`, and out of the program",
}

// reportTools says which tools are to stop, and how.
func (c *composer) reportTools(b *strings.Builder) {
	if len(c.result.Tools) == 0 {
		return
	}
	b.WriteString("\n## What another tool still manages\n\nTheir tags say so. Two tools undo each other's work: before the first change here, let the other one go, without deleting\nwhat it made.\n\n")
	for _, t := range c.result.Tools {
		fmt.Fprintf(b, "- %s: %s: %s\n", strings.TrimSpace(t.Tool+" "+line(t.Group)), strings.Join(t.Resources, ", "), cmp.Or(stopping[t.Tool], "see its manual"))
	}
}

func (c *composer) reportMoves(b *strings.Builder) {
	if len(c.result.Moves) == 0 {
		return
	}
	b.WriteString(`
## Secrets to move

These variables hold values that look like secrets. The values are not written here: each variable is declared as a reference that
is ` + "`pending`" + `, and keeps the value it has until you

1. create the secret, and put the value there;
2. let the code read the secret by its ARN, which is what the variable will hold, and let its role do so;
3. declare the Secret, and take ` + "`pending: true`" + ` away.

If a value is no secret after all, write it in place of the reference.

| function | variable | secret | why |
|---|---|---|---|
`)
	for _, m := range c.result.Moves {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", m.Function, m.Variable, m.Secret, m.Why)
	}
}

func prefixed(resource string) string {
	if resource == "" {
		return ""
	}
	return resource + ": "
}

// line keeps foreign text on its line.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }
