package lambda

import (
	"maps"
	"slices"
	"time"
)

// layer is a named series of code packages; numbers are never used again.
type layer struct {
	last     int
	versions map[int]*layerVersion
}

type layerVersion struct {
	number                  int
	description, license    string
	runtimes, architectures []string
	code                    codeRef
	created                 time.Time
	deleted                 bool    // functions that use it keep it
	policy                  *policy // nil: nobody else may use it
}

func (s *Service) layerARN(name string) string {
	return "arn:aws:lambda:" + s.opts.Region + ":" + s.opts.Account + ":layer:" + name
}

func (s *Service) layerVersion(name string, n int) *layerVersion {
	if l := s.layers[name]; l != nil {
		return l.versions[n]
	}
	return nil
}

// offered is a layer version that may still be named.
func (s *Service) offered(name string, n int) *layerVersion {
	if v := s.layerVersion(name, n); v != nil && !v.deleted {
		return v
	}
	return nil
}

// ofLayer finds a layer version of this account by its ARN; nil for others.
func (s *Service) ofLayer(arn string) *layerVersion {
	parts := layerRef.FindStringSubmatch(arn)
	if parts == nil || parts[2] != s.opts.Account {
		return nil
	}
	return s.layerVersion(parts[3], number(parts[4]))
}

func (s *Service) layerSize(arn string) int64 {
	if v := s.ofLayer(arn); v != nil {
		return v.code.Size
	}
	return 0
}

type layerInput struct {
	Description, LicenseInfo string
	Content                  codeInput
	CompatibleRuntimes       []string
	CompatibleArchitectures  []string
}

type layerOutput struct {
	Content                 map[string]any `json:",omitempty"`
	LayerArn                string         `json:",omitempty"`
	LayerVersionArn         string
	Description             string
	CreatedDate             string
	Version                 int
	CompatibleRuntimes      []string `json:",omitempty"`
	LicenseInfo             string   `json:",omitempty"`
	CompatibleArchitectures []string `json:",omitempty"`
}

func (s *Service) showLayer(name string, v *layerVersion, whole bool) layerOutput {
	out := layerOutput{
		LayerVersionArn: s.layerARN(name) + ":" + itoa(v.number), Description: v.description, Version: v.number,
		CreatedDate: stamp(v.created), CompatibleRuntimes: v.runtimes, LicenseInfo: v.license, CompatibleArchitectures: v.architectures,
	}
	if whole {
		out.LayerArn = s.layerARN(name)
		out.Content = map[string]any{"Location": s.opts.PublicURL() + codePath + v.code.Hex, "CodeSha256": v.code.SHA256, "CodeSize": v.code.Size}
	}
	return out
}

func (s *Service) publishLayer(q *request) (reply, error) {
	var in layerInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	name := q.path["LayerName"]
	if !plainName.MatchString(name) || len(name) > 140 {
		return reply{}, constraint(name, "layerName", "Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+")
	}
	code, err := s.load(in.Content, "Zip")
	if err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.layers[name]
	if l == nil {
		l = &layer{versions: map[int]*layerVersion{}}
		s.layers[name] = l
	}
	l.last++
	v := &layerVersion{number: l.last, description: in.Description, license: in.LicenseInfo, runtimes: in.CompatibleRuntimes,
		architectures: in.CompatibleArchitectures, code: code, created: s.opts.Now()}
	l.versions[v.number] = v
	return created(s.showLayer(name, v, true))
}

func (s *Service) getLayerVersion(q *request) (reply, error) {
	name := q.path["LayerName"]
	v := s.offered(name, number(q.path["VersionNumber"]))
	if v == nil {
		return reply{}, notFound("The resource you requested does not exist.")
	}
	return ok(s.showLayer(name, v, true))
}

func (s *Service) getLayerVersionByARN(q *request) (reply, error) {
	arn := q.query.Get("Arn")
	parts := layerRef.FindStringSubmatch(arn)
	if parts == nil {
		return reply{}, constraint(arn, "arn", "Member must be the ARN of a layer version")
	}
	v := s.ofLayer(arn)
	if v == nil || v.deleted {
		return reply{}, notFound("The resource you requested does not exist.")
	}
	return ok(s.showLayer(parts[3], v, true))
}

// deleteLayerVersion succeeds for one that is not there. Functions that use it
// keep working.
func (s *Service) deleteLayerVersion(q *request) (reply, error) {
	if v := s.layerVersion(q.path["LayerName"], number(q.path["VersionNumber"])); v != nil {
		v.deleted = true
	}
	return noContent()
}

// newestFirst are a layer's versions as listings show them.
func (l *layer) newestFirst() []*layerVersion {
	numbers := slices.Sorted(maps.Keys(l.versions))
	slices.Reverse(numbers)
	out := make([]*layerVersion, 0, len(numbers))
	for _, n := range numbers {
		if v := l.versions[n]; !v.deleted {
			out = append(out, v)
		}
	}
	return out
}

func (s *Service) listLayerVersions(q *request) (reply, error) {
	name := q.path["LayerName"]
	var rows []*layerVersion
	if l := s.layers[name]; l != nil {
		rows = l.newestFirst()
	}
	rows, next, err := page(q, rows, 50, func(v *layerVersion) string { return padded(itoa(1<<30 - v.number)) })
	if err != nil {
		return reply{}, err
	}
	list := make([]layerOutput, 0, len(rows))
	for _, v := range rows {
		list = append(list, s.showLayer(name, v, false))
	}
	return ok(listing("LayerVersions", list, next))
}

func (s *Service) listLayers(q *request) (reply, error) {
	var names []string
	for name, l := range s.layers {
		if len(l.newestFirst()) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names, next, err := page(q, names, 50, func(n string) string { return n })
	if err != nil {
		return reply{}, err
	}
	list := make([]map[string]any, 0, len(names))
	for _, name := range names {
		newest := s.layers[name].newestFirst()[0]
		list = append(list, map[string]any{"LayerName": name, "LayerArn": s.layerARN(name), "LatestMatchingVersion": s.showLayer(name, newest, false)})
	}
	return ok(listing("Layers", list, next))
}
