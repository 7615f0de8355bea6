package aws

import (
	"context"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
)

// create makes the function as declared. It never publishes: a version is
// made only of what was looked at.
func (f *functionPut) create(ctx context.Context) (providers.Receipt, error) {
	code, err := f.code(ctx)
	if err != nil {
		return providers.Receipt{}, err
	}
	d := &f.declared
	in := &lambda.CreateFunctionInput{
		FunctionName: &f.c.Resource.Physical, Code: code, Role: &d.role,
		PackageType: types.PackageType(d.packageType),
		MemorySize:  awssdk.Int32(int32(d.memory)), Timeout: awssdk.Int32(int32(d.timeout)),
		Tags: f.p.allTags(f.spec.Tags, f.c.Resource.Ref, f.c.Release),
	}
	for _, a := range d.architectures {
		in.Architectures = append(in.Architectures, types.Architecture(a))
	}
	if d.packageType != "Image" {
		in.Runtime, in.Handler = types.Runtime(d.runtime), &d.handler
	}
	if f.spec.CodeSigningConfigArn != "" {
		in.CodeSigningConfigArn = &f.spec.CodeSigningConfigArn
	}
	d.optional(in, f.c.Resource.Physical)
	out, err := f.p.front.lambda.CreateFunction(ctx, in)
	if err != nil {
		return providers.Receipt{}, classifyHiding(err, f.secrets(d))
	}
	forget(&f.p.memory, f.p.memory.signing, f.c.Resource.Physical)
	r := receipt(out.ResultMetadata)
	r.Guard = providers.Guard(awssdk.ToString(out.RevisionId))
	return r, f.verify(out.CodeSha256)
}

// optional sets the members that are not what AWS fills in by itself: some of
// them are refused for some runtimes, whatever their value.
func (f *functionConfig) optional(in *lambda.CreateFunctionInput, physical string) {
	var plain functionConfig
	plain.defaults(physical)
	var update lambda.UpdateFunctionConfigurationInput
	for _, path := range merge(functionMembers, &plain, f, allowedBy(nil)) {
		f.into(&update, path)
	}
	if len(f.env) > 0 {
		in.Environment = f.environment()
	}
	in.Description, in.KMSKeyArn, in.Layers = update.Description, update.KMSKeyArn, update.Layers
	in.DeadLetterConfig, in.EphemeralStorage, in.FileSystemConfigs = update.DeadLetterConfig, update.EphemeralStorage, update.FileSystemConfigs
	in.ImageConfig, in.LoggingConfig, in.SnapStart = update.ImageConfig, update.LoggingConfig, update.SnapStart
	in.TracingConfig, in.VpcConfig = update.TracingConfig, update.VpcConfig
}

// into sets the member a path belongs to. A structure is set whole: AWS
// replaces it whole. What is empty is sent as empty: nothing sent would keep
// what is there.
func (f *functionConfig) into(in *lambda.UpdateFunctionConfigurationInput, path string) {
	name, _, _ := strings.Cut(strings.SplitN(path, "[", 2)[0], ".")
	switch name {
	case "deadLetterConfig":
		in.DeadLetterConfig = &types.DeadLetterConfig{TargetArn: &f.deadLetter}
	case "description":
		in.Description = &f.description
	case "environment":
		in.Environment = f.environment()
	case "ephemeralStorage":
		in.EphemeralStorage = f.ephemeralStorage()
	case "fileSystemConfigs":
		in.FileSystemConfigs = f.fileSystemConfigs()
	case "handler":
		in.Handler = &f.handler
	case "imageConfig":
		in.ImageConfig = f.imageConfig()
	case "kmsKeyArn":
		in.KMSKeyArn = &f.kmsKey
	case "layers":
		in.Layers = list(f.layers)
	case "loggingConfig":
		in.LoggingConfig = f.loggingConfig()
	case "memorySize":
		in.MemorySize = awssdk.Int32(int32(f.memory))
	case "role":
		in.Role = &f.role
	case "runtime":
		in.Runtime = types.Runtime(f.runtime)
	case "snapStart":
		in.SnapStart = f.snapStartConfig()
	case "timeout":
		in.Timeout = awssdk.Int32(int32(f.timeout))
	case "tracingConfig":
		in.TracingConfig = f.tracingConfig()
	case "vpcConfig":
		in.VpcConfig = f.vpc()
	}
}

func (f *functionConfig) environment() *types.Environment {
	variables := make(map[string]string, len(f.env))
	for k, v := range f.env {
		variables[k] = v
	}
	return &types.Environment{Variables: variables}
}

func (f *functionConfig) vpc() *types.VpcConfig {
	return &types.VpcConfig{SubnetIds: list(f.subnets), SecurityGroupIds: list(f.groups), Ipv6AllowedForDualStack: &f.ipv6}
}

func (f *functionConfig) tracingConfig() *types.TracingConfig {
	return &types.TracingConfig{Mode: types.TracingMode(f.tracing)}
}

func (f *functionConfig) ephemeralStorage() *types.EphemeralStorage {
	return &types.EphemeralStorage{Size: awssdk.Int32(int32(f.ephemeral))}
}

func (f *functionConfig) snapStartConfig() *types.SnapStart {
	return &types.SnapStart{ApplyOn: types.SnapStartApplyOn(f.snapStart)}
}

func (f *functionConfig) imageConfig() *types.ImageConfig {
	c := &types.ImageConfig{EntryPoint: list(f.entryPoint), Command: list(f.command)}
	if f.workingDirectory != "" {
		c.WorkingDirectory = &f.workingDirectory
	}
	return c
}

func (f *functionConfig) loggingConfig() *types.LoggingConfig {
	c := &types.LoggingConfig{LogFormat: types.LogFormat(f.logFormat), LogGroup: &f.logGroup}
	if f.logFormat == "JSON" {
		c.ApplicationLogLevel, c.SystemLogLevel = types.ApplicationLogLevel(f.applicationLevel), types.SystemLogLevel(f.sysLevel)
	}
	return c
}

func (f *functionConfig) fileSystemConfigs() []types.FileSystemConfig {
	configs := make([]types.FileSystemConfig, 0, len(f.fileSystems))
	for _, fs := range f.fileSystems {
		configs = append(configs, types.FileSystemConfig{Arn: &fs.Arn, LocalMountPath: &fs.LocalMountPath})
	}
	return configs
}
