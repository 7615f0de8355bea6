package secrets

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// description is a secret as DescribeSecret shows it.
type description struct {
	ARN, Name, Description, KmsKeyId, OwningService             string
	RotationEnabled                                             *bool
	CreatedDate, LastChangedDate, LastAccessedDate, DeletedDate time.Time
	Tags                                                        []Tag
	VersionIdsToStages                                          map[string][]string
}

// entry is a secret as ListSecrets shows it.
type entry struct {
	ARN, Name, Description, KmsKeyId                            string
	CreatedDate, LastChangedDate, LastAccessedDate, DeletedDate time.Time
	Tags                                                        []Tag
	SecretVersionsToStages                                      map[string][]string
}

func (x *secret) stages() map[string][]string {
	out := map[string][]string{}
	for _, v := range x.versions {
		if len(v.stages) > 0 {
			out[v.id] = slices.Clone(v.stages)
		}
	}
	return out
}

func (s *Service) describe(_ context.Context, _ *wire.Call, in *valueInput) (description, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.find(in.SecretId)
	if err != nil {
		return description{}, err
	}
	return description{
		ARN: x.arn, Name: x.name, Description: x.description, KmsKeyId: x.kms,
		CreatedDate: x.created, LastChangedDate: x.changed, LastAccessedDate: x.accessed, DeletedDate: x.deleted,
		Tags: slices.Clone(x.tags), VersionIdsToStages: x.stages(),
	}, nil
}

type filter struct {
	Key    string
	Values []string
}

type listInput struct {
	Filters                []filter
	IncludePlannedDeletion bool
	MaxResults             *int
	NextToken              string
}

type listOutput struct {
	SecretList []entry
	NextToken  string
}

func (s *Service) list(_ context.Context, _ *wire.Call, in *listInput) (listOutput, error) {
	limit := 100
	if in.MaxResults != nil {
		limit = *in.MaxResults
	}
	if limit < 1 || limit > 100 {
		return listOutput{}, fail("InvalidParameterException", "MaxResults must be between 1 and 100.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	out := listOutput{SecretList: []entry{}}
	for _, name := range slices.Sorted(maps.Keys(s.secrets)) {
		x := s.secrets[name]
		if name <= in.NextToken || !x.deleted.IsZero() && !in.IncludePlannedDeletion || !x.matches(in.Filters) {
			continue
		}
		if len(out.SecretList) == limit {
			out.NextToken = out.SecretList[limit-1].Name
			break
		}
		out.SecretList = append(out.SecretList, entry{
			ARN: x.arn, Name: x.name, Description: x.description, KmsKeyId: x.kms,
			CreatedDate: x.created, LastChangedDate: x.changed, LastAccessedDate: x.accessed, DeletedDate: x.deleted,
			Tags: slices.Clone(x.tags), SecretVersionsToStages: x.stages(),
		})
	}
	return out, nil
}

// matches judges ListSecrets' filters: all of them, each by any of its values,
// which are prefixes; "!" in front denies.
func (x *secret) matches(filters []filter) bool {
	for _, f := range filters {
		hit := slices.ContainsFunc(f.Values, func(want string) bool {
			prefix, denied := strings.CutPrefix(want, "!")
			return slices.ContainsFunc(x.words(f.Key), func(have string) bool { return strings.HasPrefix(have, prefix) }) != denied
		})
		if !hit {
			return false
		}
	}
	return true
}

func (x *secret) words(key string) []string {
	var out []string
	if key == "name" || key == "all" {
		out = append(out, x.name)
	}
	if key == "description" || key == "all" {
		out = append(out, x.description)
	}
	for _, t := range x.tags {
		if key == "tag-key" || key == "all" {
			out = append(out, t.Key)
		}
		if key == "tag-value" || key == "all" {
			out = append(out, t.Value)
		}
	}
	return out
}

type versionEntry struct {
	VersionId     string
	VersionStages []string
	CreatedDate   time.Time
}

type versionsInput struct {
	SecretId          string
	IncludeDeprecated bool
	MaxResults        *int
	NextToken         string
}

type versionsOutput struct {
	ARN, Name, NextToken string
	Versions             []versionEntry
}

func (s *Service) listVersions(_ context.Context, _ *wire.Call, in *versionsInput) (versionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.find(in.SecretId)
	if err != nil {
		return versionsOutput{}, err
	}
	limit, start := 100, 0
	if in.MaxResults != nil {
		limit = *in.MaxResults
	}
	if in.NextToken != "" {
		if start, err = strconv.Atoi(in.NextToken); err != nil {
			return versionsOutput{}, fail("InvalidNextTokenException", "The NextToken is not valid.")
		}
	}
	out := versionsOutput{ARN: x.arn, Name: x.name, Versions: []versionEntry{}}
	for i, v := range x.versions {
		if i < start || len(v.stages) == 0 && !in.IncludeDeprecated {
			continue
		}
		if len(out.Versions) == limit {
			out.NextToken = strconv.Itoa(i)
			break
		}
		out.Versions = append(out.Versions, versionEntry{VersionId: v.id, VersionStages: slices.Clone(v.stages), CreatedDate: v.created})
	}
	return out, nil
}
