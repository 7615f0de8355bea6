package s3

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const mostTags = 10 // of one object

type tag struct{ Key, Value string }

type tagDocument struct {
	XMLName xml.Name `xml:"Tagging"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Tags    []tag    `xml:"TagSet>Tag"`
}

// spokenTags are the tags a write brings along in its header.
func spokenTags(r *http.Request) ([]tag, error) {
	values, err := url.ParseQuery(r.Header.Get("X-Amz-Tagging"))
	if err != nil {
		return nil, fail(400, "InvalidArgument", "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
	}
	var out []tag
	for key, each := range values {
		for _, value := range each {
			out = append(out, tag{Key: key, Value: value})
		}
	}
	return checkTags(out)
}

// checkTags refuses what S3 does, and puts the rest in order.
func checkTags(tags []tag) ([]tag, error) {
	if len(tags) > mostTags {
		return nil, fail(400, "BadRequest", "Object tags cannot be greater than "+strconv.Itoa(mostTags))
	}
	slices.SortFunc(tags, func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
	for i, t := range tags {
		switch {
		case t.Key == "" || len([]rune(t.Key)) > 128:
			return nil, fail(400, "InvalidTag", "The TagKey you have provided is invalid")
		case len([]rune(t.Value)) > 256:
			return nil, fail(400, "InvalidTag", "The TagValue you have provided is invalid")
		case i > 0 && tags[i-1].Key == t.Key:
			return nil, fail(400, "InvalidTag", "Cannot provide multiple Tags with the same key")
		}
	}
	return tags, nil
}

// version is the version a request for a sub-resource is about.
func (s *Service) version(q *request) (*bucket, *object, error) {
	b, err := s.find(q.bucket)
	if err != nil {
		return nil, nil, err
	}
	o, err := b.get(q.key, q.query.Get("versionId"))
	if err == nil && b.versioning != "" {
		q.w.Header().Set("X-Amz-Version-Id", o.version)
	}
	return b, o, err
}

func (s *Service) getObjectTags(q *request) error {
	_, o, err := s.version(q)
	if err != nil {
		return err
	}
	return q.answer(tagDocument{Xmlns: namespace, Tags: o.tags})
}

func (s *Service) putObjectTags(q *request) error {
	_, o, err := s.version(q)
	if err != nil {
		return err
	}
	var in tagDocument
	if err := q.parse(&in); err != nil {
		return err
	}
	tags, err := checkTags(in.Tags)
	if err != nil {
		return err
	}
	o.tags = tags
	return q.empty(http.StatusOK)
}

func (s *Service) deleteObjectTags(q *request) error {
	_, o, err := s.version(q)
	if err != nil {
		return err
	}
	o.tags = nil
	return q.empty(http.StatusNoContent)
}

// getObjectACL answers what every object here has: all to the bucket's owner.
func (s *Service) getObjectACL(q *request) error {
	b, _, err := s.version(q)
	if err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", "application/xml")
	q.w.WriteHeader(http.StatusOK)
	_, _ = q.w.Write(ownerGrant(b.account)) // a client that went away is nobody's fault
	return nil
}
