package lambda

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// signingConfig is a code signing configuration. Nothing here is ever signed,
// so Enforce refuses all new code of the functions it is attached to.
type signingConfig struct {
	id, description, policy string // policy is Warn or Enforce
	publishers              []string
	modified                time.Time
	tags                    map[string]string
}

type signingInput struct {
	Description         *string
	AllowedPublishers   *struct{ SigningProfileVersionArns []string }
	CodeSigningPolicies *struct{ UntrustedArtifactOnDeployment string }
	Tags                map[string]string
}

func (s *Service) signingARN(id string) string {
	return "arn:aws:lambda:" + s.opts.Region + ":" + s.opts.Account + ":code-signing-config:" + id
}

func (s *Service) showSigning(c *signingConfig) map[string]any {
	return map[string]any{
		"CodeSigningConfigId": c.id, "CodeSigningConfigArn": s.signingARN(c.id), "Description": c.description,
		"AllowedPublishers":   map[string]any{"SigningProfileVersionArns": c.publishers},
		"CodeSigningPolicies": map[string]string{"UntrustedArtifactOnDeployment": c.policy}, "LastModified": stamp(c.modified),
	}
}

func (in signingInput) apply(c *signingConfig) error {
	replace(&c.description, in.Description)
	if in.AllowedPublishers != nil {
		c.publishers = in.AllowedPublishers.SigningProfileVersionArns
	}
	if in.CodeSigningPolicies != nil {
		c.policy = in.CodeSigningPolicies.UntrustedArtifactOnDeployment
	}
	if n := len(c.publishers); n < 1 || n > 20 {
		return constraint(c.publishers, "allowedPublishers.signingProfileVersionArns", "Member must have length between 1 and 20")
	}
	if c.policy != "Warn" && c.policy != "Enforce" {
		return constraint(c.policy, "codeSigningPolicies.untrustedArtifactOnDeployment", "Member must satisfy enum value set: [Warn, Enforce]")
	}
	return nil
}

func noSigning(arn string) error {
	return fault(http.StatusNotFound, "CodeSigningConfigNotFoundException", "The Code Signing Configuration %s does not exist.", arn)
}

// signingByARN finds a configuration; "" finds none and is no error.
func (s *Service) signingByARN(arn string) (*signingConfig, error) {
	if arn == "" {
		return nil, nil
	}
	id, own := strings.CutPrefix(arn, s.signingARN(""))
	if c := s.signing[id]; own && c != nil {
		return c, nil
	}
	return nil, noSigning(arn)
}

// checkSigned refuses code for a function whose configuration enforces
// signatures.
func (s *Service) checkSigned(arn string) error {
	c, err := s.signingByARN(arn)
	if err != nil {
		return err
	}
	if c != nil && c.policy == "Enforce" {
		return fault(http.StatusBadRequest, "CodeVerificationFailedException", "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client is not configured to accept. Check the provided signature for %s.", arn)
	}
	return nil
}

func (s *Service) createSigning(q *request) (reply, error) {
	var in signingInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	c := &signingConfig{id: "csc-" + newURLID()[:17], policy: "Warn", modified: s.opts.Now(), tags: maps.Clone(in.Tags)}
	if c.tags == nil {
		c.tags = map[string]string{}
	}
	if err := in.apply(c); err != nil {
		return reply{}, err
	}
	if err := checkTags(c.tags); err != nil {
		return reply{}, err
	}
	s.signing[c.id] = c
	return created(map[string]any{"CodeSigningConfig": s.showSigning(c)})
}

func (s *Service) getSigningConfig(q *request) (reply, error) {
	c, err := s.signingByARN(q.path["CodeSigningConfigArn"])
	if err != nil {
		return reply{}, err
	}
	return ok(map[string]any{"CodeSigningConfig": s.showSigning(c)})
}

func (s *Service) updateSigning(q *request) (reply, error) {
	var in signingInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	c, err := s.signingByARN(q.path["CodeSigningConfigArn"])
	if err != nil {
		return reply{}, err
	}
	next := *c
	if err := in.apply(&next); err != nil {
		return reply{}, err
	}
	next.modified = s.opts.Now()
	*c = next
	return ok(map[string]any{"CodeSigningConfig": s.showSigning(c)})
}

// signedBy are the functions a configuration is attached to.
func (s *Service) signedBy(arn string) []string {
	out := []string{}
	for _, name := range slices.Sorted(maps.Keys(s.functions)) {
		if s.functions[name].signing == arn {
			out = append(out, s.arn(name))
		}
	}
	return out
}

func (s *Service) deleteSigning(q *request) (reply, error) {
	arn := q.path["CodeSigningConfigArn"]
	c, err := s.signingByARN(arn)
	if err != nil {
		return reply{}, err
	}
	if len(s.signedBy(arn)) > 0 {
		return reply{}, conflict("Cannot delete the code signing configuration %s: functions use it.", arn)
	}
	delete(s.signing, c.id)
	return noContent()
}

func (s *Service) listSigning(q *request) (reply, error) {
	ids, next, err := page(q, slices.Sorted(maps.Keys(s.signing)), 50, func(id string) string { return id })
	if err != nil {
		return reply{}, err
	}
	list := make([]map[string]any, 0, len(ids))
	for _, id := range ids {
		list = append(list, s.showSigning(s.signing[id]))
	}
	return ok(listing("CodeSigningConfigs", list, next))
}

func (s *Service) listSignedBy(q *request) (reply, error) {
	arn := q.path["CodeSigningConfigArn"]
	if _, err := s.signingByARN(arn); err != nil {
		return reply{}, err
	}
	arns, next, err := page(q, s.signedBy(arn), 50, func(arn string) string { return arn })
	if err != nil {
		return reply{}, err
	}
	return ok(listing("FunctionArns", arns, next))
}

func (s *Service) putSigning(q *request) (reply, error) {
	var in struct{ CodeSigningConfigArn string }
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	if in.CodeSigningConfigArn == "" {
		return reply{}, constraint("null", "codeSigningConfigArn", "Member must not be null")
	}
	if _, err := s.signingByARN(in.CodeSigningConfigArn); err != nil {
		return reply{}, err
	}
	f.signing = in.CodeSigningConfigArn
	return s.showAttached(f)
}

func (s *Service) showAttached(f *function) (reply, error) {
	out := map[string]string{"FunctionName": f.name}
	if f.signing != "" {
		out["CodeSigningConfigArn"] = f.signing
	}
	return ok(out)
}

func (s *Service) getSigning(q *request) (reply, error) {
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	return s.showAttached(f)
}

func (s *Service) detachSigning(q *request) (reply, error) {
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	f.signing = ""
	return noContent()
}
