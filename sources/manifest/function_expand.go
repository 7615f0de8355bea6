package manifest

import (
	"maps"
	"slices"
)

// expandFunction makes a function and its children. A trigger and a
// permission name the alias, never $LATEST.
func expandFunction(x *expansion) {
	f := x.written.(*functionSpec)
	fn := Ref{KindFunction, x.meta.Name}
	config := f.config()
	delivery := deliveryOf(x.settings, f.Rollout, f.Alias != "none")
	delivery.Expects = f.Expects.normal()
	front := fn // what triggers and permissions need
	if f.Alias != "none" {
		delivery.Alias = Ref{KindAlias, x.meta.Name + "." + f.Alias}
		front = delivery.Alias
	}
	if f.Role.Managed != nil {
		role := managedRole(f)
		config.Role = Value{Ref: Ref{KindRole, x.meta.Name}}
		x.child(Ref{KindRole, x.meta.Name}, "", role, role.refs())
	}
	refs := config.refs()
	if f.LogGroup != nil {
		refs = append(refs, ownLogGroup(x, f))
	}
	x.top(config, refs)
	if f.Alias != "none" {
		x.child(delivery.Alias, f.Alias, &AliasSpec{Description: f.AliasDescription}, []Ref{fn})
	}
	c := &children{x: x, alias: delivery.Alias, front: front}
	c.expand(f)
	x.delivery, x.function = delivery, fn
}

// deliveryOf merges how something versioned is rolled out: its own words over
// the environment's default, unless that is forced. Without an alias there is
// no traffic to move.
func deliveryOf(s *settings, own *rolloutDoc, fronted bool) Delivery {
	out := Delivery{Rollout: own.over(s.rollout)}
	if s.rollout.Force {
		out.Rollout = s.rollout
	}
	out.Rollout.Force = false
	if !fronted {
		out.Rollout = Rollout{Strategy: AllAtOnce, Stages: []Stage{{Weight: 100}}, Analysis: out.Rollout.Analysis}
	}
	return out
}

// children expands what stands in front of a function.
type children struct {
	x     *expansion
	alias Ref // zero with alias: none
	front Ref
}

func (c *children) expand(f *functionSpec) {
	name := c.x.meta.Name
	for _, key := range slices.Sorted(maps.Keys(f.Triggers)) {
		if source := f.Triggers[key].Source; source != nil {
			source.expand(c, key)
		}
	}
	for _, sid := range slices.Sorted(maps.Keys(f.Permissions)) {
		p := f.Permissions[sid]
		spec := &PermissionSpec{
			Alias: c.alias, Action: p.Action, Principal: p.Principal, SourceArn: p.SourceArn, SourceAccount: p.SourceAccount,
			PrincipalOrgID: p.PrincipalOrgID, FunctionURLAuthType: p.FunctionURLAuthType,
			EventSourceToken: p.EventSourceToken, InvokedViaFunctionURL: p.InvokedViaFunctionURL,
		}
		c.x.child(Ref{KindPermission, name + "." + sid}, sid, spec, targets(c.front, &spec.SourceArn))
	}
	if f.Concurrency != nil {
		c.x.child(Ref{KindConcurrency, name}, "", &ConcurrencySpec{*f.Concurrency}, []Ref{{KindFunction, name}})
	}
	c.settings(f)
	if a := f.AsyncInvoke; a != nil {
		spec := &AsyncSpec{c.alias, a.MaximumRetryAttempts, a.MaximumEventAgeInSeconds, a.OnSuccess, a.OnFailure}
		c.x.child(Ref{KindAsync, name}, "", spec, targets(c.front, a.OnSuccess, a.OnFailure))
	}
}

// config is the part of a function that a version keeps, in normal form.
func (f *functionSpec) config() *FunctionConfig {
	out := &FunctionConfig{
		Artifact: f.Artifact, PackageType: "Zip", Runtime: f.Runtime, Handler: f.Handler, Description: f.Description,
		Architectures: f.Architectures, MemorySize: f.MemorySize, Timeout: f.Timeout, Environment: f.Environment,
		Role: f.Role.Value, Layers: f.Layers, VpcConfig: f.VpcConfig, DeadLetterConfig: f.DeadLetterConfig,
		KmsKeyArn: f.KmsKeyArn, TracingConfig: f.TracingConfig, FileSystemConfigs: f.FileSystemConfigs,
		ImageConfig: f.ImageConfig, EphemeralStorage: f.EphemeralStorage, SnapStart: f.SnapStart,
		LoggingConfig: f.LoggingConfig, CodeSigningConfigArn: f.CodeSigningConfigArn,
		SourceKmsKeyArn: f.SourceKmsKeyArn, Tags: f.Tags,
	}
	if f.Artifact.Image != "" {
		out.PackageType = "Image"
	}
	if f.RecursiveLoop != "Terminate" {
		out.RecursiveLoop = f.RecursiveLoop
	}
	if len(out.Architectures) == 0 {
		out.Architectures = []string{"x86_64"}
	}
	if out.EphemeralStorage == nil {
		out.EphemeralStorage = &EphemeralStorage{Size: 512}
	}
	if v := f.VpcConfig; v != nil { // AWS keeps sets here, in no order
		out.VpcConfig = &VpcConfig{sortedUnique(v.SubnetIds), sortedUnique(v.SecurityGroupIds), v.Ipv6AllowedForDualStack}
	}
	return out
}

// selfBound: some of what is declared is whatever lives.
func (f *FunctionConfig) selfBound() bool {
	if f.Artifact.Unmanaged && f.Artifact.Digest == "" {
		return true
	}
	for _, v := range f.Environment {
		if v.Pending {
			return true
		}
	}
	return false
}

// refs is what the function's configuration needs.
func (f *FunctionConfig) refs() []Ref {
	refs := targets(Ref{}, &f.Role)
	for _, v := range f.Environment {
		refs = append(refs, targets(Ref{}, &v)...)
	}
	for i := range f.Layers {
		refs = append(refs, targets(Ref{}, &f.Layers[i])...)
	}
	if f.DeadLetterConfig != nil {
		refs = append(refs, targets(Ref{}, &f.DeadLetterConfig.TargetArn)...)
	}
	return refs
}

// targets lists first, unless zero, and the resources the values point at.
func targets(first Ref, values ...*Value) []Ref {
	var out []Ref
	if first != (Ref{}) {
		out = append(out, first)
	}
	for _, v := range values {
		if v == nil {
			continue
		}
		if ref, _, ok := v.Target(); ok {
			out = append(out, ref)
		}
	}
	return out
}

func sortedUnique(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}
