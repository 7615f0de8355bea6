package reconciler

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"mooring.dev/reconciler/record"
	"mooring.dev/sources/amend"
	"mooring.dev/sources/manifest"
)

// adoptionText is what a pull request that adopts says of itself.
func (p *pass) adoptionText(edit amend.Result, items map[string]record.DriftItem, commit string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Somebody changed %s by hand, and the drift policy proposes to keep that. Merging this declares what lives; nothing else changes.\n\n", code1(p.e.name))
	b.WriteString("| resource | field | declared → live | who | since | written to |\n|---|---|---|---|---|---|\n")
	for _, a := range edit.Adopted {
		item := items[a.Item.ID]
		fmt.Fprintf(&b, "| %s | %s | %s → %s | %s | %s | %s |\n", cell(item.Ref.String()), cell(orWhole(item)), cell(orNone(item.Declared)), cell(orNone(item.Live)),
			cell(whoDid(item)), item.Since.UTC().Format("2006-01-02 15:04:05Z"), cell(a.Where))
	}
	if len(edit.Left) > 0 {
		b.WriteString("\nNot adopted:\n\n")
		for _, l := range edit.Left {
			item := items[l.Item.ID]
			fmt.Fprintf(&b, "- %s %s: %s\n", code1(item.Ref.String()), code1(orWhole(item)), plainText(l.Why))
		}
	}
	b.WriteString("\n" + p.adoptionEnds(edit, commit))
	b.WriteString("\nTo refuse, close it: it is not offered again while what lives stays the same, and the differences are told as before.\n")
	return b.String()
}

func orWhole(item record.DriftItem) string {
	if item.Path == "" {
		return "(" + string(item.Kind) + ")"
	}
	return item.Path
}

func whoDid(item record.DriftItem) string {
	if !item.Actor.Known {
		return "unknown"
	}
	return item.Actor.Name + " by " + item.Actor.Event
}

// cell is text in a table: bars would end it.
func cell(text string) string { return strings.ReplaceAll(code1(text), "|", `\|`) }

// plainText keeps foreign words from being taken for Markdown.
func plainText(text string) string {
	return strings.NewReplacer("`", "'", "<", "‹", ">", "›", "\n", " ", "@", "＠").Replace(atMost(text, mostOfValue))
}

// adoptionEnds says how long what is merged stays.
func (p *pass) adoptionEnds(edit amend.Result, commit string) string {
	if len(p.spec.After) == 0 {
		return fmt.Sprintf("It changes nothing in other environments: %s.\n", p.whereOf(edit))
	}
	first := p.firstBefore()
	return fmt.Sprintf("It changes nothing in other environments: %s. **The next content that comes from %s brings that environment's copy of the file, in which this does not stand, and takes it back.** "+
		"Before then, bring the same commit to %s, from where content moves: `git cherry-pick -x %s`.\n", p.whereOf(edit), code1(p.spec.After[0]), code1(first.Branch), commit)
}

func (p *pass) whereOf(edit amend.Result) string {
	own := path.Join(p.spec.Path, "environments", p.e.name+".yaml")
	if len(edit.Files) == 1 && edit.Files[own] != nil {
		return "it is written to " + code1(own) + " alone"
	}
	return "no other has these manifests"
}

// firstBefore is the environment that content of this one begins in.
func (p *pass) firstBefore() manifest.Environment {
	at, seen := p.spec, []string{p.spec.Name}
	for len(at.After) > 0 {
		up, ok := p.w.pipeline.Environment(at.After[0])
		if !ok || slices.Contains(seen, up.Name) {
			break
		}
		at, seen = up, append(seen, up.Name)
	}
	return at
}
