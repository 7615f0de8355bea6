package lambda

import (
	"encoding/json"
	"strconv"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// configuration is FunctionConfiguration as the API shows it.
type configuration struct {
	FunctionName, FunctionArn  string
	Runtime                    string `json:",omitempty"`
	Role                       string
	Handler                    string `json:",omitempty"`
	CodeSize                   int64
	Description                string
	Timeout, MemorySize        int
	LastModified, CodeSha256   string
	Version                    string
	VpcConfig                  *vpcConfig        `json:",omitempty"`
	DeadLetterConfig           *deadLetterConfig `json:",omitempty"`
	Environment                *shownEnvironment `json:",omitempty"`
	KMSKeyArn                  string            `json:",omitempty"`
	TracingConfig              map[string]string
	RevisionID                 string             `json:"RevisionId"`
	Layers                     []layerUse         `json:",omitempty"`
	State                      string             `json:",omitempty"`
	StateReason                string             `json:",omitempty"`
	StateReasonCode            string             `json:",omitempty"`
	LastUpdateStatus           string             `json:",omitempty"`
	LastUpdateStatusReason     string             `json:",omitempty"`
	LastUpdateStatusReasonCode string             `json:",omitempty"`
	FileSystemConfigs          []fileSystemConfig `json:",omitempty"`
	PackageType                string
	ImageConfigResponse        map[string]*imageConfig `json:",omitempty"`
	Architectures              []string
	EphemeralStorage           map[string]int
	SnapStart                  map[string]string
	RuntimeVersionConfig       map[string]string `json:",omitempty"`
	LoggingConfig              loggingConfig
	DurableConfig              json.RawMessage `json:",omitempty"`
	TenancyConfig              json.RawMessage `json:",omitempty"`
}

type layerUse struct {
	Arn      string
	CodeSize int64
}

// show renders a version as a caller named it (by number, or by an alias).
func (s *Service) show(f *function, v *version, qualifier string) configuration {
	c := s.showShort(f, v, qualifier)
	now := s.opts.Now()
	switch {
	case now.Before(v.activeAt):
		c.State, c.StateReason, c.StateReasonCode = "Pending", "The function is being created.", "Creating"
	case now.Before(v.updatedAt):
		c.State = "Active"
		c.LastUpdateStatus = "InProgress"
		c.LastUpdateStatusReason, c.LastUpdateStatusReasonCode = "The function is being created.", "Creating"
	default:
		c.State, c.LastUpdateStatus = "Active", "Successful"
	}
	if v.PackageType == "Zip" {
		c.RuntimeVersionConfig = map[string]string{"RuntimeVersionArn": s.opts.Outside.runtimeARN(s.opts.Region, v.Runtime)}
	}
	return c
}

// showShort renders what listings show: no states, no runtime version.
func (s *Service) showShort(f *function, v *version, qualifier string) configuration {
	c := configuration{
		FunctionName: f.name, FunctionArn: s.qualifiedARN(f.name, qualifier), Runtime: v.Runtime, Role: v.Role,
		Handler: v.Handler, CodeSize: v.Code.Size, Description: v.Description, Timeout: v.Timeout, MemorySize: v.MemorySize,
		LastModified: stamp(v.modified), CodeSha256: v.Code.SHA256, Version: v.number, VpcConfig: v.VPC,
		Environment: s.opts.Outside.variables(v.Environment, v.KMSKeyArn), KMSKeyArn: v.KMSKeyArn, TracingConfig: map[string]string{"Mode": v.Tracing},
		RevisionID: v.revision.at(s.opts.Now()), FileSystemConfigs: v.FileSystems, PackageType: v.PackageType,
		Architectures: v.Architectures, EphemeralStorage: map[string]int{"Size": v.EphemeralStorage},
		SnapStart: map[string]string{"ApplyOn": v.SnapStart, "OptimizationStatus": "Off"}, LoggingConfig: v.Logging,
		DurableConfig: v.Durable, TenancyConfig: v.Tenancy,
	}
	if v.SnapStart == "PublishedVersions" && v.number != latest {
		c.SnapStart["OptimizationStatus"] = "On"
	}
	if v.DeadLetter != "" {
		c.DeadLetterConfig = &deadLetterConfig{TargetArn: v.DeadLetter}
	}
	if v.Image != nil {
		c.ImageConfigResponse = map[string]*imageConfig{"ImageConfig": v.Image}
	}
	for _, arn := range v.Layers {
		c.Layers = append(c.Layers, layerUse{Arn: arn, CodeSize: s.layerSize(arn)})
	}
	return c
}

// revision is a RevisionId that changes by itself once, when the work that a
// change started is done.
type revision struct {
	now, next string
	changesAt time.Time
}

// newRevision is for a change that works until done.
func newRevision(done time.Time) revision {
	return revision{now: newID(), next: newID(), changesAt: done}
}

// fixedRevision never changes by itself.
func fixedRevision() revision {
	id := newID()
	return revision{now: id, next: id}
}

func (r revision) at(now time.Time) string {
	if now.Before(r.changesAt) {
		return r.now
	}
	return r.next
}
