package lambda

import (
	"maps"
	"reflect"
	"slices"
	"time"
)

// functionURL is the HTTP address of a function or of one of its aliases.
type functionURL struct {
	id, auth, mode    string
	cors              *corsConfig
	created, modified time.Time
}

type corsConfig struct {
	AllowCredentials bool     `json:",omitempty"`
	AllowHeaders     []string `json:",omitempty"`
	AllowMethods     []string `json:",omitempty"`
	AllowOrigins     []string `json:",omitempty"`
	ExposeHeaders    []string `json:",omitempty"`
	MaxAge           int      `json:",omitempty"`
}

type urlInput struct {
	AuthType, InvokeMode string
	Cors                 *corsConfig
}

type urlOutput struct {
	FunctionURL      string `json:"FunctionUrl"`
	FunctionArn      string
	AuthType         string
	Cors             *corsConfig `json:",omitempty"`
	CreationTime     string
	LastModifiedTime string `json:",omitempty"`
	InvokeMode       string
}

func (in urlInput) check() error {
	if in.AuthType != "" && in.AuthType != "NONE" && in.AuthType != "AWS_IAM" {
		return constraint(in.AuthType, "authType", "Member must satisfy enum value set: [NONE, AWS_IAM]")
	}
	if in.InvokeMode != "" && in.InvokeMode != "BUFFERED" && in.InvokeMode != "RESPONSE_STREAM" {
		return constraint(in.InvokeMode, "invokeMode", "Member must satisfy enum value set: [BUFFERED, RESPONSE_STREAM]")
	}
	if in.Cors != nil && (in.Cors.MaxAge < 0 || in.Cors.MaxAge > 86400) {
		return constraint(in.Cors.MaxAge, "cors.maxAge", "Member must have value between 0 and 86400")
	}
	return nil
}

func (s *Service) showURL(f *function, qualifier string, u *functionURL) urlOutput {
	const form = "2006-01-02T15:04:05.000000Z"
	return urlOutput{FunctionURL: s.opts.PublicURL() + urlPath + u.id + "/", FunctionArn: s.qualifiedARN(f.name, qualifier),
		AuthType: u.auth, Cors: u.cors, CreationTime: u.created.UTC().Format(form), LastModifiedTime: u.modified.UTC().Format(form), InvokeMode: u.mode}
}

// urlOwner is the function and alias that a call means. Versions have no URL.
func (s *Service) urlOwner(q *request) (*function, string, error) {
	f, ref, err := s.find(q)
	if err != nil {
		return nil, "", err
	}
	if ref.qualifier != "" && !isAlias(ref.qualifier) {
		return nil, "", constraint(ref.qualifier, "qualifier", `Member must satisfy regular expression pattern: ((?!^\d+$)^[0-9a-zA-Z-_]+$)`)
	}
	if _, err := s.version(f, ref.qualifier); err != nil {
		return nil, "", err
	}
	return f, ref.qualifier, nil
}

func (s *Service) createURL(q *request) (reply, error) {
	var in urlInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	f, qualifier, err := s.urlOwner(q)
	if err != nil {
		return reply{}, err
	}
	if in.AuthType == "" {
		return reply{}, constraint("null", "authType", "Member must not be null")
	}
	if err := in.check(); err != nil {
		return reply{}, err
	}
	if f.urls[qualifier] != nil {
		return reply{}, conflict("Failed to create function url config for [functionArn = %s]. Error message:  FunctionUrlConfig exists for this Lambda function", s.qualifiedARN(f.name, qualifier))
	}
	now := s.opts.Now()
	u := &functionURL{id: newURLID(), auth: in.AuthType, mode: "BUFFERED", cors: in.Cors, created: now, modified: now}
	if in.InvokeMode != "" {
		u.mode = in.InvokeMode
	}
	f.urls[qualifier] = u
	out := s.showURL(f, qualifier, u)
	out.LastModifiedTime = ""
	return created(out)
}

func (s *Service) updateURL(q *request) (reply, error) {
	var in urlInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	f, qualifier, u, err := s.findURL(q)
	if err != nil {
		return reply{}, err
	}
	if err := in.check(); err != nil {
		return reply{}, err
	}
	if in.AuthType != "" {
		u.auth = in.AuthType
	}
	if in.InvokeMode != "" {
		u.mode = in.InvokeMode
	}
	if in.Cors != nil {
		u.cors = in.Cors
		if reflect.ValueOf(*in.Cors).IsZero() { // an empty one clears
			u.cors = nil
		}
	}
	u.modified = s.opts.Now()
	return ok(s.showURL(f, qualifier, u))
}

func (s *Service) findURL(q *request) (*function, string, *functionURL, error) {
	f, qualifier, err := s.urlOwner(q)
	if err != nil {
		return nil, "", nil, err
	}
	u := f.urls[qualifier]
	if u == nil {
		return nil, "", nil, notFound("The resource you requested does not exist.")
	}
	return f, qualifier, u, nil
}

func (s *Service) getURL(q *request) (reply, error) {
	f, qualifier, u, err := s.findURL(q)
	if err != nil {
		return reply{}, err
	}
	return ok(s.showURL(f, qualifier, u))
}

func (s *Service) deleteURL(q *request) (reply, error) {
	f, qualifier, _, err := s.findURL(q)
	if err != nil {
		return reply{}, err
	}
	delete(f.urls, qualifier)
	return noContent()
}

func (s *Service) listURLs(q *request) (reply, error) {
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	names, next, err := page(q, slices.Sorted(maps.Keys(f.urls)), 50, func(n string) string { return n })
	if err != nil {
		return reply{}, err
	}
	list := make([]urlOutput, 0, len(names))
	for _, name := range names {
		list = append(list, s.showURL(f, name, f.urls[name]))
	}
	return ok(listing("FunctionUrlConfigs", list, next))
}
