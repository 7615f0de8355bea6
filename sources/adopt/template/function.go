package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"mooring.dev/sources/adopt"
	"mooring.dev/sources/manifest"
)

// carried are properties of a function that a manifest has under the same
// name, beginning small.
var carried = []string{
	"Runtime", "Handler", "Description", "Architectures", "MemorySize", "Timeout", "Layers", "VpcConfig", "KmsKeyArn", "FileSystemConfigs",
	"ImageConfig", "EphemeralStorage", "SnapStart", "LoggingConfig", "CodeSigningConfigArn", "ReservedConcurrentExecutions",
}

// elsewhere are properties that are read in another way.
var elsewhere = []string{
	"FunctionName", "Code", "CodeUri", "ImageUri", "InlineCode", "PackageType", "Environment", "Role", "Tags", "Tracing", "TracingConfig",
	"DeadLetterQueue", "DeadLetterConfig", "AutoPublishAlias", "DeploymentPreference", "EventInvokeConfig", "FunctionUrlConfig", "Events",
	"Policies", "AssumeRolePolicyDocument", "PermissionsBoundary", "AutoPublishAliasAllProperties", "AutoPublishCodeSha256", "PropagateTags", "VersionDescription",
}

// function is what AWS::Lambda::Function and SAM's have in common.
func (r *reader) function(id string, p map[string]any) { r.base(id, p) }

func (r *reader) base(id string, p map[string]any) *manifest.Draft {
	d := r.begin(id, manifest.KindFunction)
	if p["FunctionName"] == nil {
		d.Leave("FunctionName is not given, so CloudFormation made one up: set metadata.physicalName to take over the function that lives")
	}
	for _, key := range carried {
		if x, there := p[key]; there {
			if v := r.value(d, key, x); v != nil {
				d.Spec[small(key)] = lowered(v)
			}
		}
	}
	for _, key := range []string{"memorySize", "timeout", "reservedConcurrentExecutions"} {
		whole(d.Spec, key)
	}
	r.layers(d)
	r.code(d, p)
	r.environment(d, p["Environment"])
	r.functionRole(d, p)
	if mode := r.tracing(d, p); mode != "" {
		d.Spec["tracingConfig"] = map[string]any{"mode": mode}
	}
	for _, key := range []string{"DeadLetterQueue", "DeadLetterConfig"} {
		if body, ok := r.value(d, key, p[key]).(map[string]any); ok && body["TargetArn"] != nil {
			d.Spec["deadLetterConfig"] = map[string]any{"targetArn": body["TargetArn"]}
		}
	}
	if tags := r.tags(d, p["Tags"]); len(tags) > 0 {
		d.Spec["tags"] = tags
	}
	d.Spec["alias"] = "none"
	for _, key := range slices.Sorted(maps.Keys(p)) {
		if !slices.Contains(carried, key) && !slices.Contains(elsewhere, key) {
			d.Leave("%s: not carried over", key)
		}
	}
	return d
}

// layers keeps those that are versions by ARN.
func (r *reader) layers(d *manifest.Draft) {
	list, _ := d.Spec["layers"].([]any)
	d.Spec["layers"] = slices.DeleteFunc(list, func(x any) bool {
		text, _ := x.(string)
		if strings.HasPrefix(text, "arn:") && !isAddress(text) {
			return false
		}
		d.Leave("Layers: %v is no version of a layer by ARN", x)
		return true
	})
}

// code cannot be named: a template says where code is before it is built, and
// never its digest.
func (r *reader) code(d *manifest.Draft, p map[string]any) {
	artifact := map[string]any{"unmanaged": true}
	where := ""
	for _, key := range []string{"CodeUri", "Code", "ImageUri"} {
		switch v := r.value(d, key, p[key]).(type) {
		case string:
			where = v
		case map[string]any:
			if image, ok := v["ImageUri"].(string); ok {
				where, p = image, map[string]any{"PackageType": "Image"}
			} else if bucket := first(v, "S3Bucket", "Bucket"); bucket != "" {
				where = "s3://" + bucket + "/" + first(v, "S3Key", "Key")
			} else if v["ZipFile"] != nil {
				where = "the template itself"
			}
		}
	}
	if p["InlineCode"] != nil {
		where = "the template itself"
	}
	if fmt.Sprint(p["PackageType"]) == "Image" || p["ImageUri"] != nil {
		image, digest, pinned := strings.Cut(where, "@")
		if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
			image = image[:i]
		}
		if image != "" && !isAddress(image) {
			artifact["image"] = image
		}
		if pinned {
			d.Spec["artifact"] = map[string]any{"image": image, "digest": digest}
			return
		}
	}
	d.Spec["artifact"] = artifact
	if where == "" {
		where = "an unknown place"
	}
	d.Leave("code: the template names %s and no digest; give artifact a uri and the digest of what was built and tested", where)
}

func first(m map[string]any, keys ...string) string {
	for _, key := range keys {
		if text, ok := m[key].(string); ok {
			return text
		}
	}
	return ""
}

// environment carries variables over; secrets that a deployment would write in
// become references that are not in force.
func (r *reader) environment(d *manifest.Draft, x any) {
	body, _ := x.(map[string]any)
	variables, ok := body["Variables"].(map[string]any)
	if !ok {
		if body["Variables"] != nil {
			d.Leave("Environment.Variables: not worked out")
		}
		return
	}
	env := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		value := r.resolver.eval(variables[name], 0)
		if u, ok := value.(unknown); ok && u.secret != "" {
			env[name] = map[string]any{"secret": u.secret, "pending": true}
			r.found.Moves = append(r.found.Moves, adopt.Move{Function: d.Ref().String(), Variable: name, Secret: u.secret, Why: "it " + u.why})
			continue
		}
		switch v := clean(value, "", new([]problem)).(type) {
		case nil:
			r.value(d, "Environment.Variables."+name, variables[name])
		case string:
			env[name] = v
		case map[string]any, []any:
			d.Leave("Environment.Variables.%s: is no text", name)
		default:
			env[name] = fmt.Sprint(v)
		}
	}
	if len(env) > 0 {
		d.Spec["environment"] = env
	}
}

func (r *reader) tracing(d *manifest.Draft, p map[string]any) string {
	mode := r.text(d, "Tracing", p["Tracing"])
	if body, ok := r.value(d, "TracingConfig", p["TracingConfig"]).(map[string]any); ok {
		mode = first(body, "Mode")
	}
	if mode == "Disabled" {
		return ""
	}
	return mode
}

// functionRole is the one named, or, in SAM, one made of policies.
func (r *reader) functionRole(d *manifest.Draft, p map[string]any) {
	if p["Role"] != nil {
		if arn, ok := r.value(d, "Role", p["Role"]).(string); ok {
			d.Spec["role"] = map[string]any{"arn": arn}
		}
		return
	}
	r.late = append(r.late, func() { d.Spec["role"] = r.rolePolicies(d, p) })
}

func items(x any) []any {
	if list, ok := x.([]any); ok {
		return list
	}
	return []any{x}
}

// tags reads a list of Key and Value, or SAM's mapping.
func (r *reader) tags(d *manifest.Draft, x any) map[string]any {
	out := map[string]any{}
	switch v := r.value(d, "Tags", x).(type) {
	case map[string]any:
		for key, value := range v {
			out[key] = fmt.Sprint(value)
		}
	case []any:
		for _, item := range v {
			if tag, ok := item.(map[string]any); ok && tag["Key"] != nil && tag["Value"] != nil {
				out[fmt.Sprint(tag["Key"])] = fmt.Sprint(tag["Value"])
			}
		}
	}
	return out
}

// lowered gives members the spelling of manifests: AWS's, beginning small.
func lowered(x any) any {
	switch x := x.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for key, value := range x {
			out[small(key)] = lowered(value)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = lowered(x[i])
		}
		return out
	}
	return x
}

func small(name string) string {
	if name == "" {
		return name
	}
	return string(unicode.ToLower(rune(name[0]))) + name[1:]
}

// whole makes numbers of texts that are: templates may write either.
func whole(m map[string]any, key string) {
	if text, ok := m[key].(string); ok {
		var n int
		if _, err := fmt.Sscan(text, &n); err == nil {
			m[key] = n
		}
	}
}

// truth makes booleans of texts that are.
func truth(m map[string]any, key string) {
	if text, ok := m[key].(string); ok && (strings.EqualFold(text, "true") || strings.EqualFold(text, "false")) {
		m[key] = strings.EqualFold(text, "true")
	}
}
