package aws

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/sources/manifest"
)

// functionConfig is what a published version keeps, in plain values. It may
// hold secrets and never leaves this package.
type functionConfig struct {
	code, packageType          string // code: sha256 in hex
	runtime, handler           string
	description                string
	architectures              []string
	memory, timeout            int
	env                        map[string]string
	kept                       map[string]string // tokens of variables that are declared to be what lives
	envUnreadable              string            // why the environment is unknown
	role                       string
	layers                     []string
	subnets, groups            []string
	ipv6                       bool
	deadLetter                 string
	kmsKey                     string
	tracing                    string
	fileSystems                []manifest.FileSystem
	entryPoint, command        []string
	workingDirectory           string
	ephemeral                  int
	snapStart                  string
	logFormat, logGroup        string
	applicationLevel, sysLevel string
}

// functionMembers is every member of functionConfig but the environment.
var functionMembers = []member[functionConfig]{
	{"architectures", func(f *functionConfig) any { return list(f.architectures) }, func(d, s *functionConfig) { d.architectures = s.architectures }},
	{"code", func(f *functionConfig) any { return f.code }, func(d, s *functionConfig) { d.code = s.code }},
	{"deadLetterConfig.targetArn", func(f *functionConfig) any { return f.deadLetter }, func(d, s *functionConfig) { d.deadLetter = s.deadLetter }},
	{"description", func(f *functionConfig) any { return f.description }, func(d, s *functionConfig) { d.description = s.description }},
	{"ephemeralStorage.size", func(f *functionConfig) any { return f.ephemeral }, func(d, s *functionConfig) { d.ephemeral = s.ephemeral }},
	{"fileSystemConfigs", func(f *functionConfig) any { return orEmpty(f.fileSystems) }, func(d, s *functionConfig) { d.fileSystems = s.fileSystems }},
	{"handler", func(f *functionConfig) any { return f.handler }, func(d, s *functionConfig) { d.handler = s.handler }},
	{"imageConfig.command", func(f *functionConfig) any { return list(f.command) }, func(d, s *functionConfig) { d.command = s.command }},
	{"imageConfig.entryPoint", func(f *functionConfig) any { return list(f.entryPoint) }, func(d, s *functionConfig) { d.entryPoint = s.entryPoint }},
	{"imageConfig.workingDirectory", func(f *functionConfig) any { return f.workingDirectory }, func(d, s *functionConfig) { d.workingDirectory = s.workingDirectory }},
	{"kmsKeyArn", func(f *functionConfig) any { return f.kmsKey }, func(d, s *functionConfig) { d.kmsKey = s.kmsKey }},
	{"layers", func(f *functionConfig) any { return list(f.layers) }, func(d, s *functionConfig) { d.layers = s.layers }},
	{"loggingConfig.applicationLogLevel", func(f *functionConfig) any { return f.applicationLevel }, func(d, s *functionConfig) { d.applicationLevel = s.applicationLevel }},
	{"loggingConfig.logFormat", func(f *functionConfig) any { return f.logFormat }, func(d, s *functionConfig) { d.logFormat = s.logFormat }},
	{"loggingConfig.logGroup", func(f *functionConfig) any { return f.logGroup }, func(d, s *functionConfig) { d.logGroup = s.logGroup }},
	{"loggingConfig.systemLogLevel", func(f *functionConfig) any { return f.sysLevel }, func(d, s *functionConfig) { d.sysLevel = s.sysLevel }},
	{"memorySize", func(f *functionConfig) any { return f.memory }, func(d, s *functionConfig) { d.memory = s.memory }},
	{"packageType", func(f *functionConfig) any { return f.packageType }, func(d, s *functionConfig) { d.packageType = s.packageType }},
	{"role", func(f *functionConfig) any { return f.role }, func(d, s *functionConfig) { d.role = s.role }},
	{"runtime", func(f *functionConfig) any { return f.runtime }, func(d, s *functionConfig) { d.runtime = s.runtime }},
	{"snapStart.applyOn", func(f *functionConfig) any { return f.snapStart }, func(d, s *functionConfig) { d.snapStart = s.snapStart }},
	{"timeout", func(f *functionConfig) any { return f.timeout }, func(d, s *functionConfig) { d.timeout = s.timeout }},
	{"tracingConfig.mode", func(f *functionConfig) any { return f.tracing }, func(d, s *functionConfig) { d.tracing = s.tracing }},
	{"vpcConfig.ipv6AllowedForDualStack", func(f *functionConfig) any { return f.ipv6 }, func(d, s *functionConfig) { d.ipv6 = s.ipv6 }},
	{"vpcConfig.securityGroupIds", func(f *functionConfig) any { return set(f.groups) }, func(d, s *functionConfig) { d.groups = s.groups }},
	{"vpcConfig.subnetIds", func(f *functionConfig) any { return set(f.subnets) }, func(d, s *functionConfig) { d.subnets = s.subnets }},
}

// codeMembers are written by UpdateFunctionCode, all others by
// UpdateFunctionConfiguration.
var codeMembers = map[string]bool{"code": true, "architectures": true}

func orEmpty(fs []manifest.FileSystem) []manifest.FileSystem {
	if fs == nil {
		return []manifest.FileSystem{}
	}
	return fs
}

// snapshot is the digest of everything a version keeps. Every variable stands
// in it as a keyed token, declared or not.
func (f *functionConfig) snapshot(key []byte) string {
	if f.envUnreadable != "" {
		return ""
	}
	b := &builder{key: key, fields: map[string]string{}, sensitive: map[string]bool{}}
	each(b, functionMembers, f)
	for k, v := range f.env {
		b.token(keyPath("environment", k), v)
	}
	for k, token := range f.kept {
		b.set(keyPath("environment", k), token)
	}
	return digestOf(b.fields)
}

// declaredConfig reads a manifest.
func declaredConfig(spec *manifest.FunctionConfig, physical string, b *builder) functionConfig {
	f := functionConfig{
		code: codeDigest(spec.Artifact), packageType: orElse(spec.PackageType, "Zip"),
		runtime: spec.Runtime, handler: spec.Handler, description: spec.Description,
		architectures: spec.Architectures, memory: spec.MemorySize, timeout: spec.Timeout,
		env: map[string]string{}, role: b.value(spec.Role),
		kmsKey: spec.KmsKeyArn, fileSystems: spec.FileSystemConfigs,
	}
	for _, v := range spec.Layers {
		f.layers = append(f.layers, b.value(v))
	}
	for k, v := range spec.Environment {
		if v.Pending {
			f.keep(k, b.own[keptVariable+k])
			continue
		}
		f.env[k] = b.value(v)
	}
	if spec.Artifact.Unmanaged && f.code == "" {
		f.code = b.own[keptCode]
	}
	if spec.VpcConfig != nil {
		f.subnets, f.groups, f.ipv6 = spec.VpcConfig.SubnetIds, spec.VpcConfig.SecurityGroupIds, spec.VpcConfig.Ipv6AllowedForDualStack
	}
	if spec.DeadLetterConfig != nil {
		f.deadLetter = b.value(spec.DeadLetterConfig.TargetArn)
	}
	if spec.TracingConfig != nil {
		f.tracing = spec.TracingConfig.Mode
	}
	if spec.ImageConfig != nil {
		f.entryPoint, f.command, f.workingDirectory = spec.ImageConfig.EntryPoint, spec.ImageConfig.Command, spec.ImageConfig.WorkingDirectory
	}
	if spec.EphemeralStorage != nil {
		f.ephemeral = spec.EphemeralStorage.Size
	}
	if spec.SnapStart != nil {
		f.snapStart = spec.SnapStart.ApplyOn
	}
	if l := spec.LoggingConfig; l != nil {
		f.logFormat, f.logGroup, f.applicationLevel, f.sysLevel = l.LogFormat, l.LogGroup, l.ApplicationLogLevel, l.SystemLogLevel
	}
	f.defaults(physical)
	return f
}

// A function's own attributes that stand for what is declared to be whatever
// lives: unmanaged code without a digest, and pending references as tokens.
const (
	keptCode     = "code"
	keptVariable = "environment."
)

// keep notes a variable that is as it lives; without a token it is not there.
func (f *functionConfig) keep(name, token string) {
	if token == "" {
		return
	}
	if f.kept == nil {
		f.kept = map[string]string{}
	}
	f.kept[name] = token
}

// liveConfig reads what AWS shows.
func liveConfig(c *types.FunctionConfiguration) functionConfig {
	f := functionConfig{
		code: liveDigest(awssdk.ToString(c.CodeSha256)), packageType: string(c.PackageType),
		runtime: string(c.Runtime), handler: awssdk.ToString(c.Handler), description: awssdk.ToString(c.Description),
		architectures: list(c.Architectures), memory: int(awssdk.ToInt32(c.MemorySize)), timeout: int(awssdk.ToInt32(c.Timeout)),
		env: map[string]string{}, role: awssdk.ToString(c.Role), kmsKey: awssdk.ToString(c.KMSKeyArn),
	}
	if e := c.Environment; e != nil {
		for k, v := range e.Variables {
			f.env[k] = v
		}
		if e.Error != nil {
			f.envUnreadable = orElse(awssdk.ToString(e.Error.ErrorCode), "unreadable")
		}
	}
	for _, l := range c.Layers {
		f.layers = append(f.layers, awssdk.ToString(l.Arn))
	}
	for _, fs := range c.FileSystemConfigs {
		f.fileSystems = append(f.fileSystems, manifest.FileSystem{Arn: awssdk.ToString(fs.Arn), LocalMountPath: awssdk.ToString(fs.LocalMountPath)})
	}
	liveBlocks(&f, c)
	f.defaults(awssdk.ToString(c.FunctionName))
	return f
}

// liveBlocks reads the members that are structures.
func liveBlocks(f *functionConfig, c *types.FunctionConfiguration) {
	if v := c.VpcConfig; v != nil {
		f.subnets, f.groups, f.ipv6 = v.SubnetIds, v.SecurityGroupIds, awssdk.ToBool(v.Ipv6AllowedForDualStack)
	}
	if c.DeadLetterConfig != nil {
		f.deadLetter = awssdk.ToString(c.DeadLetterConfig.TargetArn)
	}
	if c.TracingConfig != nil {
		f.tracing = string(c.TracingConfig.Mode)
	}
	if r := c.ImageConfigResponse; r != nil && r.ImageConfig != nil {
		f.entryPoint, f.command = r.ImageConfig.EntryPoint, r.ImageConfig.Command
		f.workingDirectory = awssdk.ToString(r.ImageConfig.WorkingDirectory)
	}
	if c.EphemeralStorage != nil {
		f.ephemeral = int(awssdk.ToInt32(c.EphemeralStorage.Size))
	}
	if c.SnapStart != nil {
		f.snapStart = string(c.SnapStart.ApplyOn)
	}
	if l := c.LoggingConfig; l != nil {
		f.logFormat, f.logGroup = string(l.LogFormat), awssdk.ToString(l.LogGroup)
		f.applicationLevel, f.sysLevel = string(l.ApplicationLogLevel), string(l.SystemLogLevel)
	}
}

// defaults fills in what AWS fills in, so that both sides name everything.
func (f *functionConfig) defaults(physical string) {
	f.packageType = orElse(f.packageType, "Zip")
	if len(f.architectures) == 0 {
		f.architectures = []string{"x86_64"}
	}
	f.memory = orElse(f.memory, 128)
	f.timeout = orElse(f.timeout, 3)
	f.tracing = orElse(f.tracing, "PassThrough")
	f.ephemeral = orElse(f.ephemeral, 512)
	f.snapStart = orElse(f.snapStart, "None")
	f.logFormat = orElse(f.logFormat, "Text")
	f.logGroup = orElse(f.logGroup, "/aws/lambda/"+physical)
	if f.logFormat == "JSON" {
		f.applicationLevel = orElse(f.applicationLevel, "INFO")
		f.sysLevel = orElse(f.sysLevel, "INFO")
	}
}

func orElse[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}

// codeDigest is the hex sha256 an artifact names: of the zip, or of the
// image's manifest.
func codeDigest(a manifest.Artifact) string {
	digest := a.Digest
	if digest == "" {
		if _, after, found := strings.Cut(a.Image, "@"); found {
			digest = after
		}
	}
	return strings.TrimPrefix(digest, "sha256:")
}

// liveDigest makes hex of CodeSha256: base64 for zips, hex for images.
func liveDigest(sha string) string {
	sha = strings.TrimPrefix(sha, "sha256:")
	if len(sha) == hex.EncodedLen(32) {
		return sha
	}
	raw, err := base64.StdEncoding.DecodeString(sha)
	if err != nil {
		return sha
	}
	return hex.EncodeToString(raw)
}
