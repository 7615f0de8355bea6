package lambda

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
)

// settings are everything a version keeps of a function. Values are replaced
// whole, never changed in place, so copies may share them.
type settings struct {
	Role, Runtime, Handler, Description, KMSKeyArn string
	Timeout, MemorySize, EphemeralStorage          int
	PackageType, Tracing, SnapStart                string
	Architectures, Layers                          []string
	Environment                                    *environment
	VPC                                            *vpcConfig
	DeadLetter                                     string
	FileSystems                                    []fileSystemConfig
	Image                                          *imageConfig
	Logging                                        loggingConfig
	Durable, Tenancy                               json.RawMessage
	Code                                           codeRef
}

// codeRef names the code: a zip by its digest, or an image.
type codeRef struct {
	SHA256          string // as CodeSha256 shows it: base64 for a zip, hex for an image
	Hex             string // of a zip; "" for an image
	Size            int64
	Image, Resolved string
	SourceKMSKeyArn string
	Object          *s3Object // where it stays, in storage mode REFERENCE; the sandbox keeps a copy all the same
}

type s3Object struct {
	S3Bucket, S3Key string
	S3ObjectVersion string `json:",omitempty"`
}

type environment struct {
	Variables map[string]string `json:"Variables,omitempty"`
}

type vpcConfig struct {
	SubnetIds               []string `json:"SubnetIds"`
	SecurityGroupIds        []string `json:"SecurityGroupIds"`
	VpcID                   string   `json:"VpcId"`
	Ipv6AllowedForDualStack bool     `json:"Ipv6AllowedForDualStack"`
}

type deadLetterConfig struct {
	TargetArn string `json:"TargetArn,omitempty"`
}

type fileSystemConfig struct {
	Arn            string `json:"Arn"`
	LocalMountPath string `json:"LocalMountPath"`
}

type imageConfig struct {
	EntryPoint       []string `json:"EntryPoint,omitempty"`
	Command          []string `json:"Command,omitempty"`
	WorkingDirectory string   `json:"WorkingDirectory,omitempty"`
}

func (c *imageConfig) empty() bool {
	return c == nil || len(c.EntryPoint) == 0 && len(c.Command) == 0 && c.WorkingDirectory == ""
}

type loggingConfig struct {
	LogFormat           string `json:"LogFormat,omitempty"`
	ApplicationLogLevel string `json:"ApplicationLogLevel,omitempty"`
	SystemLogLevel      string `json:"SystemLogLevel,omitempty"`
	LogGroup            string `json:"LogGroup,omitempty"`
}

// settingsInput is what creating and updating have in common. A nil member is
// "not said": creation takes the default, an update keeps what is there. An
// empty one clears.
type settingsInput struct {
	Role, Handler, Description, Runtime, KMSKeyArn *string
	Timeout, MemorySize                            *int
	VpcConfig                                      *vpcConfig
	Environment                                    *environment
	DeadLetterConfig                               *deadLetterConfig
	TracingConfig                                  *struct{ Mode string }
	Layers                                         *[]string
	FileSystemConfigs                              *[]fileSystemConfig
	ImageConfig                                    *imageConfig
	EphemeralStorage                               *struct{ Size int }
	SnapStart                                      *struct{ ApplyOn string }
	LoggingConfig                                  *loggingConfig
	DurableConfig                                  json.RawMessage
	CapacityProviderConfig                         json.RawMessage // refused
}

func defaultSettings(function string) settings {
	return settings{
		Timeout: 3, MemorySize: 128, EphemeralStorage: 512, PackageType: "Zip", Tracing: "PassThrough",
		SnapStart: "None", Architectures: []string{"x86_64"},
		Logging: loggingConfig{LogFormat: "Text", LogGroup: "/aws/lambda/" + function},
	}
}

func (in *settingsInput) apply(to *settings, function string) {
	replace(&to.Role, in.Role)
	replace(&to.Handler, in.Handler)
	replace(&to.Description, in.Description)
	replace(&to.Runtime, in.Runtime)
	replace(&to.KMSKeyArn, in.KMSKeyArn)
	replace(&to.Timeout, in.Timeout)
	replace(&to.MemorySize, in.MemorySize)
	replace(&to.Layers, in.Layers)
	replace(&to.FileSystems, in.FileSystemConfigs)
	if in.Environment != nil {
		to.Environment = &environment{Variables: maps.Clone(in.Environment.Variables)}
	}
	if in.DeadLetterConfig != nil {
		to.DeadLetter = in.DeadLetterConfig.TargetArn
	}
	if in.TracingConfig != nil {
		to.Tracing = in.TracingConfig.Mode
	}
	if in.EphemeralStorage != nil {
		to.EphemeralStorage = in.EphemeralStorage.Size
	}
	if in.SnapStart != nil {
		to.SnapStart = in.SnapStart.ApplyOn
	}
	if in.DurableConfig != nil {
		to.Durable = in.DurableConfig
	}
	in.applyNested(to, function)
}

func (in *settingsInput) applyNested(to *settings, function string) {
	if in.VpcConfig != nil {
		to.VPC = joinedVPC(to.VPC, in.VpcConfig)
	}
	if in.ImageConfig != nil {
		to.Image = in.ImageConfig
		if in.ImageConfig.empty() {
			to.Image = nil
		}
	}
	if in.LoggingConfig != nil {
		to.Logging = joinedLogging(to.Logging, *in.LoggingConfig, function)
	}
}

func replace[T any](to *T, with *T) {
	if with != nil {
		*to = *with
	}
}

// joinedVPC keeps lists that were not said and clears those that are empty.
func joinedVPC(old, in *vpcConfig) *vpcConfig {
	out := &vpcConfig{SubnetIds: []string{}, SecurityGroupIds: []string{}}
	if old != nil {
		*out = *old
	}
	if in.SubnetIds != nil {
		out.SubnetIds = in.SubnetIds
	}
	if in.SecurityGroupIds != nil {
		out.SecurityGroupIds = in.SecurityGroupIds
	}
	out.Ipv6AllowedForDualStack = in.Ipv6AllowedForDualStack
	out.VpcID = ""
	if len(out.SubnetIds) > 0 {
		sum := sha256.Sum256([]byte(slices.Min(out.SubnetIds)))
		out.VpcID = "vpc-" + hex.EncodeToString(sum[:8])
	}
	return out
}

// joinedLogging fills in what AWS fills in: levels for JSON, none for text.
func joinedLogging(old, in loggingConfig, function string) loggingConfig {
	out := old
	for _, m := range []struct {
		to   *string
		with string
	}{
		{&out.LogFormat, in.LogFormat}, {&out.ApplicationLogLevel, in.ApplicationLogLevel},
		{&out.SystemLogLevel, in.SystemLogLevel}, {&out.LogGroup, in.LogGroup},
	} {
		if m.with != "" {
			*m.to = m.with
		}
	}
	if out.LogGroup == "" {
		out.LogGroup = "/aws/lambda/" + function
	}
	if out.LogFormat != "JSON" {
		out.ApplicationLogLevel, out.SystemLogLevel = "", ""
		return out
	}
	if out.ApplicationLogLevel == "" {
		out.ApplicationLogLevel = "INFO"
	}
	if out.SystemLogLevel == "" {
		out.SystemLogLevel = "INFO"
	}
	return out
}

// digest is equal for equal settings: what publishing compares.
func (c settings) digest() string {
	text, err := json.Marshal(c)
	if err != nil { // raw members were JSON when they came in
		return newID()
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
