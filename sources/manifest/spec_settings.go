package manifest

// ProvisionedConcurrencySpec is concurrency kept ready for a function. It
// stands on the version that carries the release, not on the alias: AWS
// refuses weights on an alias that has concurrency of its own, so a canary
// needs it on versions.
type ProvisionedConcurrencySpec struct {
	Version                         Value `json:"version"` // of the function: the number of the version that carries what is declared
	ProvisionedConcurrentExecutions int   `json:"provisionedConcurrentExecutions"`
}

// RuntimeManagementSpec is how $LATEST and the version that carries the
// release take AWS's builds of their runtime. Auto is AWS's default and makes
// no resource.
type RuntimeManagementSpec struct {
	Version           Value  `json:"version,omitzero"` // zero with alias: none: $LATEST alone
	UpdateRuntimeOn   string `json:"updateRuntimeOn"`  // FunctionUpdate | Manual
	RuntimeVersionArn string `json:"runtimeVersionArn,omitempty"`
}

// AttributeVersion is the attribute of a Function that nobody writes in a
// manifest: the number of the version that carries what is declared.
const AttributeVersion = "version"

// runtimeManagementDoc is runtime management as written.
type runtimeManagementDoc struct {
	UpdateRuntimeOn   string `json:"updateRuntimeOn" is:"required,enum=Auto|FunctionUpdate|Manual" doc:"When AWS's builds of the runtime are taken: by themselves, with a change of the function, or never but the one named."`
	RuntimeVersionArn string `json:"runtimeVersionArn" is:"match=build,maxlen=2048" doc:"The build that Manual stays on."`
}

func (r *runtimeManagementDoc) check(d *decoder, n *node) {
	switch {
	case r.UpdateRuntimeOn == "Manual" && r.RuntimeVersionArn == "":
		d.need(n.pos(), "Manual needs runtimeVersionArn", "the build it is to stay on")
	case r.UpdateRuntimeOn != "Manual" && r.RuntimeVersionArn != "":
		d.fault(n.get("runtimeVersionArn").pos(), "runtimeVersionArn is for Manual only", "")
	}
}

// checkSettings holds what stands beside a version against AWS's rules.
func (f *functionSpec) checkSettings(d *decoder, n *node) {
	if at := n.get("provisionedConcurrentExecutions"); at != nil {
		switch {
		case f.Alias == "none":
			d.fault(at.pos(), "provisionedConcurrentExecutions needs an alias", "concurrency stands on published versions, and alias: none makes none")
		case f.SnapStart != nil && f.SnapStart.ApplyOn == "PublishedVersions":
			d.fault(at.pos(), "provisionedConcurrentExecutions excludes snapStart", "AWS allows one of them")
		case f.Concurrency != nil && f.Provisioned != nil && *f.Provisioned > *f.Concurrency:
			d.fault(at.pos(), "provisionedConcurrentExecutions is more than reservedConcurrentExecutions", "what is kept ready is part of what is reserved")
		}
	}
	if at := n.get("runtimeManagementConfig"); at != nil && f.Artifact.Image != "" {
		d.fault(at.pos(), "runtimeManagementConfig is for zip functions only", "an image has its own runtime")
	}
}

// settings adds what AWS keeps beside a function's versions.
func (c *children) settings(f *functionSpec) {
	fn := Ref{KindFunction, c.x.meta.Name}
	version := Value{}
	if c.alias != (Ref{}) {
		version = Value{Ref: fn, Attribute: AttributeVersion}
	}
	if f.Provisioned != nil {
		c.x.child(Ref{KindProvisioned, c.x.meta.Name}, "", &ProvisionedConcurrencySpec{version, *f.Provisioned}, []Ref{fn})
	}
	if r := f.RuntimeManagement; r != nil && r.UpdateRuntimeOn != "Auto" {
		c.x.child(Ref{KindRuntimeManagement, c.x.meta.Name}, "", &RuntimeManagementSpec{version, r.UpdateRuntimeOn, r.RuntimeVersionArn}, []Ref{fn})
	}
}
