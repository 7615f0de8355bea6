package manifest

import (
	"slices"
	"strings"
)

// reservedVariables are set by Lambda itself and refused by it.
var reservedVariables = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
	"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
	"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API",
	"AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
}

// maxEnvironment is what AWS allows for all variables together, as JSON.
const maxEnvironment = 4096

func (f *functionSpec) check(d *decoder, n *node) {
	if f.Artifact.Image != "" {
		f.checkImage(d, n)
	} else {
		f.checkZip(d, n)
	}
	f.checkEnvironment(d, n.get("environment"))
	f.checkTriggers(d, n.get("triggers"))
	f.checkPermissions(d, n.get("permissions"))
	f.checkLayers(d, n.get("layers"))
	f.checkSettings(d, n)
	if f.Alias == "none" && f.AliasDescription != "" {
		d.fault(n.get("aliasDescription").pos(), "there is no alias to describe", "")
	}
	if f.Alias == "none" && f.Rollout != nil && len(f.Rollout.Stages) > 1 {
		d.fault(n.get("rollout").pos(), "alias: none leaves no traffic to move", "leave out rollout, or give the function an alias")
	}
	if f.Rollout != nil && f.Rollout.Force {
		d.fault(n.get("rollout").get("force").pos(), "force is for environments", "a function's own rollout holds unless its environment forces another")
	}
	refuseDeadman(d, n.get("rollout"), f.Rollout)
	if l := f.LoggingConfig; l != nil && l.LogFormat != "JSON" && (l.ApplicationLogLevel != "" || l.SystemLogLevel != "") {
		d.fault(n.get("loggingConfig").pos(), "log levels need logFormat: JSON", "")
	}
	checkTags(d, n.get("tags"), f.Tags)
}

func (f *functionSpec) checkImage(d *decoder, n *node) {
	for _, name := range []string{"runtime", "handler", "layers", "snapStart", "codeSigningConfigArn"} {
		if field := n.get(name); field != nil {
			d.fault(field.pos(), name+" is for zip functions only", "an image has its own; see imageConfig")
		}
	}
}

func (f *functionSpec) checkZip(d *decoder, n *node) {
	if f.Runtime == "" {
		d.need(n.pos(), "a zip function needs runtime", "")
	}
	if f.Handler == "" {
		d.need(n.pos(), "a zip function needs handler", "")
	}
	if f.ImageConfig != nil {
		d.fault(n.get("imageConfig").pos(), "imageConfig is for container images only", "")
	}
}

func (f *functionSpec) checkEnvironment(d *decoder, n *node) {
	if n == nil {
		return
	}
	size := 2
	for _, e := range n.entries {
		if slices.Contains(reservedVariables, e.key) {
			d.push("environment")
			d.push(e.key)
			d.fault(e.pos(), "is set by Lambda itself", "choose another name")
			d.pop()
			d.pop()
		}
		size += len(e.key) + len(f.Environment[e.key].Literal) + 6
	}
	if size > maxEnvironment {
		d.push("environment")
		d.fault(n.pos(), "is longer than the 4 KB AWS allows", "move some into a Parameter")
		d.pop()
	}
}

func (f *functionSpec) checkPermissions(d *decoder, n *node) {
	if n == nil {
		return
	}
	open := f.openURL()
	for _, e := range n.entries {
		if t, ok := f.Triggers[e.key].Source.(*apiTrigger); ok && t != nil {
			d.push("permissions")
			d.fault(e.pos(), quote(e.key)+" is made by the trigger of that name", "choose another name")
			d.pop()
		}
		if len(e.key) > 100 || open && (e.key == SidURL || e.key == SidInvoke) {
			d.push("permissions")
			d.push(e.key)
			if len(e.key) > 100 {
				d.fault(e.pos(), "the statement id is too long", "at most 100 characters")
			} else {
				d.fault(e.pos(), "is made by the url with authType NONE", "choose another name, or set publicStatements: false")
			}
			d.pop()
			d.pop()
		}
	}
}

// openURL tells whether the function has a URL that anybody may call.
func (f *functionSpec) openURL() bool {
	for _, t := range f.Triggers {
		if u, ok := t.Source.(*urlTrigger); ok && u.URL.open() {
			return true
		}
	}
	return false
}

func (f *functionSpec) checkLayers(d *decoder, n *node) {
	seen := map[string]bool{}
	for i, v := range f.Layers {
		layer := v.Ref.String()
		if v.Literal != "" {
			if !patterns["layerArn"].re.MatchString(v.Literal) {
				d.push("layers")
				d.fault(n.items[i].pos(), "cannot be "+quote(v.Literal), "want "+patterns["layerArn"].want)
				d.pop()
				continue
			}
			layer = v.Literal[:strings.LastIndexByte(v.Literal, ':')]
		}
		if seen[layer] {
			d.push("layers")
			d.fault(n.items[i].pos(), "is another version of a layer above", "AWS refuses two versions of one layer")
			d.pop()
		}
		seen[layer] = layer != ""
	}
}

func (a *Artifact) check(d *decoder, n *node) {
	switch {
	case a.Unmanaged && a.URI != "":
		d.fault(n.get("uri").pos(), "unmanaged code is brought by something else", "leave out uri, or unmanaged")
		return
	case a.Unmanaged && a.Image == "":
		return
	case a.URI == "" && a.Image == "":
		d.need(n.pos(), "needs uri or image", "as uri: s3://bucket/checkout.zip")
		return
	case a.URI != "" && a.Image != "":
		d.fault(n.pos(), "has both uri and image", "choose one")
		return
	case a.Version != "" && !strings.HasPrefix(a.URI, "s3://"):
		d.fault(n.get("version").pos(), "version is for s3:// only", "")
	}
	if a.Image != "" {
		a.checkImage(d, n)
	} else {
		checkURI(d, n.get("uri"), a.URI)
	}
	if a.Digest == "" && !a.Unmanaged {
		d.need(n.pos(), "needs digest", "what was tested is what is deployed: sha256:…")
	}
}

// checkImage moves a digest that stands in the image's name to its field, so
// that one image has one form.
func (a *Artifact) checkImage(d *decoder, n *node) {
	name, digest, found := strings.Cut(a.Image, "@")
	if !found {
		return
	}
	if !patterns["digest"].re.MatchString(digest) || a.Digest != "" && a.Digest != digest {
		d.fault(n.get("image").pos(), "the image's digest is not the one declared", "write it once")
		return
	}
	a.Image, a.Digest = name, digest
}

func checkURI(d *decoder, n *node, uri string) {
	if path, ok := strings.CutPrefix(uri, "file:"); ok {
		if path == "" || strings.HasPrefix(path, "/") || slices.Contains(strings.Split(path, "/"), "..") || strings.Contains(path, `\`) {
			d.fault(n.pos(), "cannot be "+quote(uri), "a file: is a path below the directory of artifacts, without ..")
		}
		return
	}
	if rest, ok := strings.CutPrefix(uri, "s3://"); ok {
		if bucket, key, _ := strings.Cut(rest, "/"); len(bucket) < 3 || len(bucket) > 63 || key == "" || len(key) > 1024 {
			d.fault(n.pos(), "cannot be "+quote(uri), "as s3://bucket/key")
		}
		return
	}
	if rest, ok := strings.CutPrefix(uri, "oci://"); ok {
		if !patterns["registry"].re.MatchString(rest) || len(rest) > 512 {
			d.fault(n.pos(), "cannot be "+quote(uri), "as oci://registry.example/shop/checkout:1.2; digest is the zip's own")
		}
		return
	}
	d.fault(n.pos(), "cannot be "+quote(uri), "want s3://bucket/key, oci://registry/repository or file:path")
}
