package manifest

// fronts are the kinds that keep published versions, and the kind of alias
// their traffic goes through. All of them are rolled out alike.
var fronts = map[string]string{KindFunction: KindAlias, KindWorkflow: KindWorkflowAlias}

// Versioned kinds publish immutable versions, and take traffic through an
// alias: functions and workflows.
func Versioned(kind string) bool { return fronts[kind] != "" }

// AliasKind tells the kinds that point at a version: where they point is the
// rollout's business, not the manifest's.
func AliasKind(kind string) bool { return VersionedBy(kind) != "" }

// VersionedBy is the versioned kind an alias's kind belongs to; "" for what is
// no alias.
func VersionedBy(alias string) string {
	for kind, front := range fronts {
		if front == alias {
			return kind
		}
	}
	return ""
}
