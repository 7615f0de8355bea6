// Package secrets is the sandbox's Secrets Manager: one account's secrets in
// one region, with versions, stages and deletion that can be taken back. Values
// stay in memory and are never recorded. It refuses rotation.
package secrets

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Options are the service's place and time.
type Options struct {
	Now     func() time.Time
	Account string
	Region  string
}

// Service is one account's secrets in one region.
type Service struct {
	*wire.Model
	options Options

	mu      sync.Mutex
	secrets map[string]*secret // by name
}

// secret is one secret; the service's lock guards it.
type secret struct {
	name, arn, description, kms string
	created, changed, accessed  time.Time
	deleteAt, deleted           time.Time // zero unless scheduled for deletion
	tags                        []Tag
	versions                    []*version // oldest first
}

type version struct {
	id      string
	text    string
	binary  []byte
	created time.Time
	stages  []string
}

// Tag is a tag.
type Tag struct{ Key, Value string }

// The stages a secret's versions move through.
const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
)

// New makes a service without secrets.
func New(o Options) *Service {
	s := &Service{options: o, secrets: map[string]*secret{}}
	s.Model = &wire.Model{
		Signing: "secretsmanager",
		Hidden:  []string{"SecretString", "SecretBinary"},
		Operations: map[string]wire.Operation{
			"CreateSecret":             wire.Op(s.create),
			"UpdateSecret":             wire.Op(s.update),
			"PutSecretValue":           wire.Op(s.putValue),
			"GetSecretValue":           wire.Op(s.getValue),
			"DescribeSecret":           wire.Op(s.describe),
			"ListSecrets":              wire.Op(s.list),
			"ListSecretVersionIds":     wire.Op(s.listVersions),
			"DeleteSecret":             wire.Op(s.remove),
			"RestoreSecret":            wire.Op(s.restore),
			"TagResource":              wire.Op(s.tag),
			"UntagResource":            wire.Op(s.untag),
			"UpdateSecretVersionStage": wire.Op(s.moveStage),
			"GetResourcePolicy":        wire.Op(s.policy),
		},
	}
	return s
}

func fail(code, message string) *wire.Error {
	return &wire.Error{Status: 400, Code: code, Message: message}
}

// find is a secret by name or ARN, with or without its random suffix; the
// caller holds the lock.
func (s *Service) find(id string) (*secret, error) {
	s.expire()
	name := id
	if i := strings.Index(id, ":secret:"); i >= 0 {
		name = id[i+len(":secret:"):]
	}
	if x, ok := s.secrets[name]; ok {
		return x, nil
	}
	for _, x := range s.secrets {
		if x.arn == id {
			return x, nil
		}
	}
	return nil, fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

// live is a secret not scheduled for deletion.
func (s *Service) live(id string) (*secret, error) {
	x, err := s.find(id)
	if err == nil && !x.deleted.IsZero() {
		return nil, fail("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
	}
	return x, err
}

// expire forgets secrets whose recovery window has passed.
func (s *Service) expire() {
	now := s.options.Now()
	maps.DeleteFunc(s.secrets, func(_ string, x *secret) bool { return !x.deleted.IsZero() && !now.Before(x.deleteAt) })
}

type valueInput struct {
	Name, SecretId, Description, KmsKeyId string
	SecretString                          *string
	SecretBinary                          []byte
	ClientRequestToken                    string
	VersionId, VersionStage               string
	VersionStages                         []string
	Tags                                  []Tag
	TagKeys                               []string
}

func (in *valueInput) hasValue() bool { return in.SecretString != nil || in.SecretBinary != nil }

type secretOutput struct {
	ARN, Name, VersionId string
	VersionStages        []string
	DeletionDate         time.Time
}

func (s *Service) create(_ context.Context, _ *wire.Call, in *valueInput) (secretOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	if in.Name == "" {
		return secretOutput{}, fail("ValidationException", "a secret needs a Name")
	}
	if x, taken := s.secrets[in.Name]; taken {
		if !x.deleted.IsZero() {
			return secretOutput{}, fail("InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion.")
		}
		return secretOutput{}, fail("ResourceExistsException", "The operation failed because the secret "+in.Name+" already exists.")
	}
	now := s.options.Now()
	x := &secret{
		name: in.Name, description: in.Description, kms: in.KmsKeyId, created: now, changed: now, tags: slices.Clone(in.Tags),
		arn: "arn:aws:secretsmanager:" + s.options.Region + ":" + s.options.Account + ":secret:" + in.Name + "-" + suffix(),
	}
	s.secrets[in.Name] = x
	out := secretOutput{ARN: x.arn, Name: x.name}
	if in.hasValue() {
		out.VersionId = x.put(in, now)
	}
	return out, nil
}

// suffix are the six characters every secret's ARN ends in.
func suffix() string { return rand.Text()[:6] }

// put adds a version under its stages and returns its identifier.
func (x *secret) put(in *valueInput, now time.Time) string {
	v := &version{id: in.ClientRequestToken, binary: in.SecretBinary, created: now}
	if v.id == "" {
		v.id = wire.NewID()
	}
	if in.SecretString != nil {
		v.text = *in.SecretString
	}
	stages := in.VersionStages
	if len(stages) == 0 {
		stages = []string{current}
	}
	for _, stage := range stages {
		x.move(stage, v)
	}
	x.versions = append(x.versions, v)
	x.changed = now
	return v.id
}

// move gives a stage to a version; the version that loses AWSCURRENT gets
// AWSPREVIOUS.
func (x *secret) move(stage string, to *version) {
	from := x.staged(stage)
	if from == to && to != nil {
		return
	}
	if from != nil {
		from.stages = slices.DeleteFunc(from.stages, func(s string) bool { return s == stage })
		if stage == current {
			x.move(previous, from)
		}
	}
	if to != nil {
		to.stages = append(to.stages, stage)
	}
}

func (x *secret) staged(stage string) *version {
	for _, v := range x.versions {
		if slices.Contains(v.stages, stage) {
			return v
		}
	}
	return nil
}

func (s *Service) update(_ context.Context, _ *wire.Call, in *valueInput) (secretOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.live(in.SecretId)
	if err != nil {
		return secretOutput{}, err
	}
	if in.Description != "" {
		x.description = in.Description
	}
	if in.KmsKeyId != "" {
		x.kms = in.KmsKeyId
	}
	out := secretOutput{ARN: x.arn, Name: x.name}
	x.changed = s.options.Now()
	if in.hasValue() {
		out.VersionId = x.put(in, x.changed)
	}
	return out, nil
}

func (s *Service) putValue(_ context.Context, _ *wire.Call, in *valueInput) (secretOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.live(in.SecretId)
	if err != nil {
		return secretOutput{}, err
	}
	if !in.hasValue() {
		return secretOutput{}, fail("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
	}
	id := x.put(in, s.options.Now())
	return secretOutput{ARN: x.arn, Name: x.name, VersionId: id, VersionStages: x.versions[len(x.versions)-1].stages}, nil
}

type valueOutput struct {
	ARN, Name, VersionId string
	SecretString         *string
	SecretBinary         []byte
	VersionStages        []string
	CreatedDate          time.Time
}

func (s *Service) getValue(_ context.Context, _ *wire.Call, in *valueInput) (valueOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.live(in.SecretId)
	if err != nil {
		return valueOutput{}, err
	}
	stage := in.VersionStage
	if stage == "" {
		stage = current
	}
	for _, v := range x.versions {
		if in.VersionId != "" && v.id != in.VersionId || in.VersionId == "" && !slices.Contains(v.stages, stage) {
			continue
		}
		x.accessed = s.options.Now().Truncate(24 * time.Hour)
		out := valueOutput{ARN: x.arn, Name: x.name, VersionId: v.id, SecretBinary: v.binary, VersionStages: v.stages, CreatedDate: v.created}
		if v.binary == nil {
			out.SecretString = &v.text
		}
		return out, nil
	}
	return valueOutput{}, fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: "+stage)
}

type deleteInput struct {
	SecretId                   string
	RecoveryWindowInDays       *int
	ForceDeleteWithoutRecovery bool
}

func (s *Service) remove(_ context.Context, _ *wire.Call, in *deleteInput) (secretOutput, error) {
	days := 30
	if in.RecoveryWindowInDays != nil {
		days = *in.RecoveryWindowInDays
	}
	if days < 7 || days > 30 {
		return secretOutput{}, fail("InvalidParameterException", "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.live(in.SecretId)
	if err != nil {
		return secretOutput{}, err
	}
	now := s.options.Now()
	x.deleted, x.deleteAt = now, now.AddDate(0, 0, days)
	if in.ForceDeleteWithoutRecovery {
		x.deleteAt = now
	}
	return secretOutput{ARN: x.arn, Name: x.name, DeletionDate: x.deleteAt}, nil
}

func (s *Service) restore(_ context.Context, _ *wire.Call, in *deleteInput) (secretOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.find(in.SecretId)
	if err != nil {
		return secretOutput{}, err
	}
	x.deleted, x.deleteAt = time.Time{}, time.Time{}
	return secretOutput{ARN: x.arn, Name: x.name}, nil
}

type stageInput struct{ SecretId, VersionStage, RemoveFromVersionId, MoveToVersionId string }

func (s *Service) moveStage(_ context.Context, _ *wire.Call, in *stageInput) (secretOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.live(in.SecretId)
	if err != nil {
		return secretOutput{}, err
	}
	var to *version
	for _, v := range x.versions {
		if v.id == in.MoveToVersionId {
			to = v
		}
	}
	if in.MoveToVersionId != "" && to == nil {
		return secretOutput{}, fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret version.")
	}
	if holder := x.staged(in.VersionStage); holder != nil && holder != to && holder.id != in.RemoveFromVersionId {
		return secretOutput{}, fail("InvalidParameterException", "The parameter RemoveFromVersionId can't be empty. Staging label "+in.VersionStage+" is currently attached to version "+holder.id)
	}
	x.move(in.VersionStage, to)
	return secretOutput{ARN: x.arn, Name: x.name}, nil
}

func (s *Service) tag(_ context.Context, _ *wire.Call, in *valueInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.live(in.SecretId)
	if err != nil {
		return wire.None{}, err
	}
	for _, t := range in.Tags {
		x.tags = slices.DeleteFunc(x.tags, func(have Tag) bool { return have.Key == t.Key })
		x.tags = append(x.tags, t)
	}
	return wire.None{}, nil
}

func (s *Service) untag(_ context.Context, _ *wire.Call, in *valueInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.live(in.SecretId)
	if err != nil {
		return wire.None{}, err
	}
	x.tags = slices.DeleteFunc(x.tags, func(t Tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	return wire.None{}, nil
}

func (s *Service) policy(_ context.Context, _ *wire.Call, in *valueInput) (secretOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.find(in.SecretId)
	if err != nil {
		return secretOutput{}, err
	}
	return secretOutput{ARN: x.arn, Name: x.name}, nil
}

// Tagged is the tags of every secret, by ARN.
func (s *Service) Tagged() map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[string]string{}
	for _, x := range s.secrets {
		tags := map[string]string{}
		for _, t := range x.tags {
			tags[t.Key] = t.Value
		}
		out[x.arn] = tags
	}
	return out
}
