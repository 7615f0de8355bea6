package aws

import (
	"strings"

	"mooring.dev/sources/manifest"
)

// functionOf reads the name and the qualifier ("" for none) out of a
// function's ARN: arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER].
func functionOf(arn string) (name, qualifier string) {
	parts := strings.Split(arn, ":")
	if len(parts) < 7 {
		return "", ""
	}
	if len(parts) > 7 {
		qualifier = parts[7]
	}
	return parts[6], qualifier
}

// nameOfARN is the last part of an ARN.
func nameOfARN(arn string) string {
	if i := strings.LastIndexAny(arn, ":/"); i >= 0 {
		return arn[i+1:]
	}
	return arn
}

// lastIn is what follows prefix in the resource part of a service's ARN; ok is
// false for other ARNs.
func lastIn(arn, service, prefix string) (name string, ok bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[2] != service {
		return "", false
	}
	return strings.CutPrefix(parts[5], prefix)
}

// accountInARN is the account in an ARN; "" for what is no ARN.
func accountInARN(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return ""
	}
	return parts[4]
}

// aliasARN is what a child of a function names: the alias if there is one,
// else the function. It is computed where the account is declared; else it is
// what was observed.
func (p *Provider) aliasARN(res manifest.Resource, alias manifest.Ref, b *builder) string {
	qualifier := qualifierOf(res, alias)
	if p.o.Target.Account != "" {
		arn := "arn:" + manifest.Partition(p.o.Config.Region) + ":lambda:" + p.o.Config.Region + ":" + p.o.Target.Account + ":function:" + res.Physical
		if qualifier != "" {
			arn += ":" + qualifier
		}
		return arn
	}
	if alias != (manifest.Ref{}) {
		if arn := b.bindings[alias]["arn"]; arn != "" {
			return arn
		}
	}
	if arn := b.bindings[res.Parent]["arn"]; arn != "" {
		if qualifier != "" {
			return arn + ":" + qualifier
		}
		return arn
	}
	needs := alias
	if needs == (manifest.Ref{}) {
		needs = res.Parent
	}
	return b.value(manifest.Value{Ref: needs})
}

// qualifierOf is the live name of a child's alias: Alias/f.live of Function/f
// is "live". "" stands for the function itself.
func qualifierOf(res manifest.Resource, alias manifest.Ref) string {
	if alias == (manifest.Ref{}) {
		return ""
	}
	if name, ok := strings.CutPrefix(alias.Name, res.Parent.Name+"."); ok {
		return name
	}
	return nameOf(alias.Name)
}

func nameOf(child string) string {
	if i := strings.LastIndex(child, "."); i >= 0 {
		return child[i+1:]
	}
	return child
}

// qualifier is qualifierOf as the SDK wants it.
func qualifier(res manifest.Resource, alias manifest.Ref) *string {
	if q := qualifierOf(res, alias); q != "" {
		return &q
	}
	return nil
}
