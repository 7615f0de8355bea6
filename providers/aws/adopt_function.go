package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// living is one function as an adoption reads it.
type living struct {
	a        *adoption
	d        *manifest.Draft
	look     *functionLook
	layers   *functionLayers
	policies *policiesLook
	own      []types.EventSourceMappingConfiguration // mappings onto it
	alias    *types.AliasConfiguration               // the one its traffic goes through; nil for none
	config   types.FunctionConfiguration
	image    string // where the image is

	statements map[string]*permission // of the qualifier declared, by id
	stands     []standing             // what other kinds' drafts found to call it
}

// function drafts one function, or says why not.
func (a *adoption) function(ctx context.Context, name string) {
	l := &living{a: a}
	err := l.read(ctx, name)
	switch {
	case err != nil:
		a.skip(providers.Skipped{Kind: manifest.KindFunction, Name: name, Why: "could not be read: " + err.Error(), Failed: true})
	case l.d != nil:
		a.mu.Lock()
		a.functions[name] = l
		a.mu.Unlock()
	}
}

func (l *living) read(ctx context.Context, name string) error {
	a := l.a
	out, err := a.cl.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &name})
	if isAbsent(err) {
		return providers.Errorf(providers.Invalid, "there is no function of this name")
	}
	if err != nil {
		return classify(err)
	}
	l.look = functionLookOf(out, a.p.o.Now())
	l.config = l.look.config
	if l.look.tagsUnseen != "" {
		return providers.Errorf(providers.Denied, "whose it is cannot be told: tags are %s", l.look.tagsUnseen)
	}
	if l.config.MasterArn != nil {
		a.skip(providers.Skipped{Kind: manifest.KindFunction, Name: name, Why: "a replica of a Lambda@Edge function"})
		return nil
	}
	if !a.passes(manifest.KindFunction, name, l.look.tags) {
		return nil
	}
	sub := &subject{physical: name, cl: a.sweep.cl}
	if l.layers, err = a.sweep.lookLayers(ctx, sub, true); err != nil {
		return err
	}
	sub.layers = l.layers
	l.policies = a.sweep.lookPolicies(ctx, sub)
	if err := errors.Join(append(sortedValues(l.layers.failed), l.policies.failed)...); err != nil {
		return err
	}
	l.d = started(name, awssdk.ToString(l.config.FunctionArn), l.look.tags)
	l.d.Kind = manifest.KindFunction
	l.statements = map[string]*permission{}
	l.ownMappings(name)
	l.chooseAlias()
	if out.Code != nil {
		l.image = awssdk.ToString(out.Code.ImageUri)
	}
	if l.alias != nil {
		if err := l.serving(ctx, name); err != nil {
			return err
		}
	}
	if err := l.spec(name); err != nil {
		return err
	}
	if err := l.settings(ctx, name); err != nil {
		return err
	}
	l.d.Addresses["alias"] = l.front()
	return nil
}

// front is the ARN its traffic goes through.
func (l *living) front() string {
	arn := l.d.Addresses["arn"]
	if l.alias != nil {
		arn += ":" + l.qualifier()
	}
	return arn
}

// ownMappings picks the region's mappings onto the function.
func (l *living) ownMappings(name string) {
	for i := range l.layers.aliases { // an emulator's mappings do not name them
		remember(&l.a.p.memory, l.a.p.memory.fronts, name, awssdk.ToString(l.layers.aliases[i].Name))
	}
	for _, c := range l.a.sweep.mappings {
		if fn, _ := functionOf(awssdk.ToString(c.FunctionArn)); fn == name {
			l.a.p.adapt(&c)
			l.own = append(l.own, c)
		}
	}
}

// chooseAlias takes the qualifier most of what stands on the function names;
// an alias before none, and "live" before others.
func (l *living) chooseAlias() {
	uses := map[string]int{}
	for _, c := range l.own {
		_, q := functionOf(awssdk.ToString(c.FunctionArn))
		uses[q]++
	}
	for q, policy := range l.policies.of {
		uses[q] += len(policy.statements)
	}
	for i := range l.layers.urls {
		_, q := functionOf(awssdk.ToString(l.layers.urls[i].FunctionArn))
		uses[q]++
	}
	for i := range l.layers.async {
		uses[asyncQualifier(&l.layers.async[i])]++
	}
	best := -1
	for i := range l.layers.aliases {
		alias := &l.layers.aliases[i]
		n := uses[awssdk.ToString(alias.Name)]
		if !published(awssdk.ToString(alias.FunctionVersion)) {
			l.d.Leave("alias %s points at $LATEST, which no version of a release could take over", awssdk.ToString(alias.Name))
			continue
		}
		if n > best || n == best && awssdk.ToString(alias.Name) == "live" {
			best, l.alias = n, alias
		}
	}
	if l.alias != nil && uses[""] > best {
		l.alias = nil
	}
	for i := range l.layers.aliases {
		if alias := &l.layers.aliases[i]; alias != l.alias && published(awssdk.ToString(alias.FunctionVersion)) {
			l.d.Leave("alias %s: a function is declared with one alias; this one stays as it is, and drift tells of it", awssdk.ToString(alias.Name))
		}
	}
}

func (l *living) qualifier() string {
	if l.alias == nil {
		return ""
	}
	return awssdk.ToString(l.alias.Name)
}

// serving takes the configuration of the version that serves: that is what is
// in force. Where the unpublished state differs, the first plan would bring
// it back, and that is told.
func (l *living) serving(ctx context.Context, name string) error {
	version := awssdk.ToString(l.alias.FunctionVersion)
	out, err := l.a.cl.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &name, Qualifier: &version})
	if err != nil {
		return fmt.Errorf("version %s: %w", version, classify(err))
	}
	served := functionLookOf(out, l.a.p.o.Now())
	if r := routingOf(l.alias); r.Canary != "" {
		l.d.Leave("alias %s sends %.4g%% of its calls to version %s as well: finish that move, or the first plan does", l.qualifier(), float64(r.Weight)/100, r.Canary)
	}
	if diffs := differing(&l.look.config, &served.config); len(diffs) > 0 {
		l.d.Leave("version %s serves and is what is declared; $LATEST differs from it in %s, and the first plan brings it back", version, strings.Join(diffs, ", "))
	}
	l.config = served.config
	if out.Code != nil {
		l.image = awssdk.ToString(out.Code.ImageUri)
		l.look.sourceKMS = served.sourceKMS
	}
	return nil
}

// differing names the members in which two configurations differ, without
// their values.
func differing(x, y *types.FunctionConfiguration) []string {
	a, b := liveConfig(x), liveConfig(y)
	names := merge(functionMembers, &a, &b, allowedBy(nil))
	for _, name := range sortedKeys(a.env) {
		if value, ok := b.env[name]; !ok || value != a.env[name] {
			names = append(names, keyPath("environment", name))
		}
	}
	for _, name := range sortedKeys(b.env) {
		if _, ok := a.env[name]; !ok {
			names = append(names, keyPath("environment", name))
		}
	}
	slices.Sort(names)
	return names
}

// spec writes the function's spec, and what stands on it.
func (l *living) spec(name string) error {
	f := liveConfig(&l.config)
	spec, err := manifest.SpecOf(l.written(&f, name))
	if err != nil {
		return err
	}
	delete(spec, "packageType")
	spec["role"] = map[string]any{"arn": f.role}
	l.d.Spec = spec
	if l.alias == nil {
		spec["alias"] = "none"
	} else {
		spec["alias"], spec["aliasDescription"] = l.qualifier(), awssdk.ToString(l.alias.Description)
	}
	if l.look.concurrency != nil {
		spec["reservedConcurrentExecutions"] = int(*l.look.concurrency)
	}
	l.a.need(f.role)
	l.a.need(f.deadLetter)
	l.around()
	if f.envUnreadable != "" {
		l.d.Leave("the environment could not be read (%s): the first plan would take its variables away", f.envUnreadable)
	}
	for _, value := range f.env {
		l.a.maybeSecret(value)
	}
	l.unsaid()
	return nil
}

// written is the function's configuration as a manifest would declare it:
// what AWS fills in by itself is left out.
func (l *living) written(f *functionConfig, name string) *manifest.FunctionConfig {
	var plain functionConfig
	plain.defaults(name)
	out := &manifest.FunctionConfig{
		Artifact: l.artifact(f), Runtime: f.runtime, Handler: f.handler, Description: f.description,
		MemorySize: f.memory, Timeout: f.timeout, KmsKeyArn: f.kmsKey, FileSystemConfigs: f.fileSystems,
		SourceKmsKeyArn: l.look.sourceKMS, Tags: ownTags(l.d, l.look.tags), Environment: map[string]manifest.Value{},
	}
	if !slices.Equal(f.architectures, plain.architectures) {
		out.Architectures = f.architectures
	}
	for _, arn := range f.layers {
		out.Layers = append(out.Layers, manifest.Value{Literal: arn})
		l.a.need(arn)
	}
	for k, v := range f.env {
		out.Environment[k] = manifest.Value{Literal: v}
	}
	if len(f.subnets) > 0 {
		out.VpcConfig = &manifest.VpcConfig{SubnetIds: f.subnets, SecurityGroupIds: f.groups, Ipv6AllowedForDualStack: f.ipv6}
	}
	if f.deadLetter != "" {
		out.DeadLetterConfig = &manifest.Target{TargetArn: manifest.Value{Literal: f.deadLetter}}
	}
	if f.tracing != plain.tracing {
		out.TracingConfig = &manifest.TracingConfig{Mode: f.tracing}
	}
	if len(f.entryPoint)+len(f.command) > 0 || f.workingDirectory != "" {
		out.ImageConfig = &manifest.ImageConfig{EntryPoint: f.entryPoint, Command: f.command, WorkingDirectory: f.workingDirectory}
	}
	if f.ephemeral != plain.ephemeral {
		out.EphemeralStorage = &manifest.EphemeralStorage{Size: f.ephemeral}
	}
	if f.snapStart != plain.snapStart {
		out.SnapStart = &manifest.SnapStart{ApplyOn: f.snapStart}
	}
	if f.logFormat != plain.logFormat || f.logGroup != plain.logGroup {
		out.LoggingConfig = &manifest.LoggingConfig{LogFormat: f.logFormat, ApplicationLogLevel: f.applicationLevel, SystemLogLevel: f.sysLevel}
		if f.logGroup != plain.logGroup {
			out.LoggingConfig.LogGroup = f.logGroup
		}
	}
	if signing, ok := recall(&l.a.p.memory, l.a.p.memory.signing, name); ok {
		out.CodeSigningConfigArn = signing.arn
	}
	return out
}

// artifact names the code: an image by where it is and its digest, a zip by
// its digest alone until somebody keeps it.
func (l *living) artifact(f *functionConfig) manifest.Artifact {
	if f.packageType != "Image" {
		return manifest.Artifact{Unmanaged: true, Digest: "sha256:" + f.code}
	}
	image, _, _ := strings.Cut(l.image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	return manifest.Artifact{Image: image, Digest: "sha256:" + f.code}
}

// unsaid notes members of the function that no manifest declares.
func (l *living) unsaid() {
	c := &l.look.config
	for name, set := range map[string]bool{
		"capacityProviderConfig": c.CapacityProviderConfig != nil, "durableConfig": c.DurableConfig != nil, "tenancyConfig": c.TenancyConfig != nil,
	} {
		if set {
			l.d.Leave("%s: not managed; it stays as it is", name)
		}
	}
}
