package iam

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// STSOptions are what sessions need.
type STSOptions struct {
	Now func() time.Time
	// Account finds an account's roles, those of other accounts too.
	Account func(account string) *Service
	// Issue makes an access key an actor's.
	Issue func(accessKey string, a wire.Actor)
}

// STS is the Security Token Service of one account.
type STS struct {
	*wire.Model
	options STSOptions
}

// NewSTS makes the service.
func NewSTS(o STSOptions) *STS {
	s := &STS{options: o}
	s.Model = &wire.Model{
		Signing:   "sts",
		Namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
		Hidden:    []string{"SecretAccessKey", "SessionToken", "ExternalId"},
		Operations: map[string]wire.Operation{
			"GetCallerIdentity": wire.Op(s.identity),
			"AssumeRole":        wire.Op(s.assume),
		},
	}
	return s
}

type identityOutput struct{ UserId, Account, Arn string }

func (s *STS) identity(_ context.Context, c *wire.Call, _ *wire.None) (identityOutput, error) {
	user := c.Actor.AccessKey
	if role, session, ok := sessionOf(c.Actor); ok {
		user = s.roleID(c.Account, role) + ":" + session
	}
	return identityOutput{UserId: user, Account: c.Account, Arn: c.Actor.ARN}, nil
}

// sessionOf takes assumed-role/ROLE/SESSION apart.
func sessionOf(a wire.Actor) (role, session string, ok bool) {
	rest, ok := strings.CutPrefix(a.Name, "assumed-role/")
	if !ok {
		return "", "", false
	}
	role, session, ok = strings.Cut(rest, "/")
	return role, session, ok
}

func (s *STS) roleID(account, name string) string {
	roles := s.options.Account(account)
	roles.mu.Lock()
	defer roles.mu.Unlock()
	if r, ok := roles.roles[name]; ok {
		return r.RoleId
	}
	return "AROA" + strings.ToUpper(name) // a session somebody registered for a role that is not there
}

type assumeInput struct {
	RoleArn, RoleSessionName, ExternalId, SourceIdentity string
	DurationSeconds                                      *int
	Tags                                                 []Tag
}

func (in *assumeInput) tags() map[string]string {
	var out map[string]string
	for _, t := range in.Tags {
		if out == nil {
			out = map[string]string{}
		}
		out[t.Key] = t.Value
	}
	return out
}

type credentials struct {
	AccessKeyId, SecretAccessKey, SessionToken string
	Expiration                                 time.Time
}

type assumedUser struct{ AssumedRoleId, Arn string }

type assumeOutput struct {
	Credentials     credentials
	AssumedRoleUser assumedUser
	SourceIdentity  string
}

func (s *STS) assume(_ context.Context, c *wire.Call, in *assumeInput) (assumeOutput, error) {
	if in.RoleSessionName == "" {
		return assumeOutput{}, fail(400, "ValidationError", "RoleSessionName is required")
	}
	duration := 3600
	if in.DurationSeconds != nil {
		duration = *in.DurationSeconds
	}
	if duration < 900 || duration > 43200 {
		return assumeOutput{}, fail(400, "ValidationError", "DurationSeconds must be between 900 and 43200")
	}
	account, id, ok := s.mayAssume(c, in)
	if !ok {
		return assumeOutput{}, fail(403, "AccessDenied", "User: "+c.Actor.ARN+" is not authorized to perform: sts:AssumeRole on resource: "+in.RoleArn)
	}
	name := "assumed-role/" + policyName(in.RoleArn) + "/" + in.RoleSessionName
	key := "ASIA" + rand.Text()[:16]
	arn := "arn:aws:sts::" + account + ":" + name
	s.options.Issue(key, wire.Actor{AccessKey: key, Type: "AssumedRole", Name: name, ARN: arn, Tags: in.tags()})
	return assumeOutput{
		Credentials: credentials{
			AccessKeyId: key, SecretAccessKey: rand.Text(), SessionToken: rand.Text(),
			Expiration: s.options.Now().Add(time.Duration(duration) * time.Second),
		},
		AssumedRoleUser: assumedUser{AssumedRoleId: id + ":" + in.RoleSessionName, Arn: arn},
		SourceIdentity:  in.SourceIdentity,
	}, nil
}

// mayAssume asks the role's trust policy; it answers the role's account and
// unique identifier.
func (s *STS) mayAssume(c *wire.Call, in *assumeInput) (account, id string, ok bool) {
	parts := strings.SplitN(in.RoleArn, ":", 6)
	if len(parts) != 6 || parts[2] != "iam" {
		return "", "", false
	}
	roles := s.options.Account(parts[4])
	if roles == nil {
		return "", "", false
	}
	who := caller{arn: c.Actor.ARN, account: c.Account, externalID: in.ExternalId, tags: in.tags()}
	if role, _, session := sessionOf(c.Actor); session {
		who.role = "arn:aws:iam::" + c.Account + ":role/" + role
	}
	roles.mu.Lock()
	defer roles.mu.Unlock()
	r := roles.byARN(in.RoleArn)
	if r == nil {
		return "", "", false
	}
	d, err := parseDocument(r.trust)
	return parts[4], r.RoleId, err == nil && d.admits(who)
}
