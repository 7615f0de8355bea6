package s3

import (
	"crypto/md5" //nolint:gosec // what an ETag is
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// object is one version of one key, or a delete marker.
type object struct {
	version  string // "null" where the bucket keeps no versions
	body     []byte
	etag     string // quoted
	modified time.Time
	header   http.Header // Content-Type, x-amz-meta-…, checksums
	marker   bool
	tags     []tag // by key
}

const nullVersion = "null"

// newest is a key's newest version, nil if there is none or it is a delete
// marker.
func (b *bucket) newest(key string) *object {
	versions := b.objects[key]
	if len(versions) == 0 || versions[len(versions)-1].marker {
		return nil
	}
	return versions[len(versions)-1]
}

func (b *bucket) get(key, version string) (*object, error) {
	if version == "" {
		if o := b.newest(key); o != nil {
			return o, nil
		}
		return nil, &wire.Error{Status: 404, Code: "NoSuchKey", Message: "The specified key does not exist.", Members: map[string]any{"Key": key}}
	}
	for _, o := range b.objects[key] {
		if o.version != version {
			continue
		}
		if o.marker {
			return nil, fail(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
		}
		return o, nil
	}
	return nil, fail(404, "NoSuchVersion", "The specified version does not exist.")
}

// add puts a version on top of a key, in place of the null version where the
// bucket keeps none.
func (b *bucket) add(key string, o *object) {
	o.version = nullVersion
	if b.versioning == "Enabled" {
		o.version = strings.ReplaceAll(wire.NewID(), "-", "")
	}
	b.remove(key, o.version)
	b.objects[key] = append(b.objects[key], o)
}

// remove takes one version away for good.
func (b *bucket) remove(key, version string) *object {
	for i, o := range b.objects[key] {
		if o.version != version {
			continue
		}
		b.objects[key] = append(b.objects[key][:i:i], b.objects[key][i+1:]...)
		if len(b.objects[key]) == 0 {
			delete(b.objects, key)
		}
		return o
	}
	return nil
}

func etagOf(body []byte) string {
	sum := md5.Sum(body) //nolint:gosec // what an ETag is
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// kept are the headers an object keeps.
func kept(in http.Header) http.Header {
	out := http.Header{}
	for name, values := range in {
		lower := strings.ToLower(name)
		switch {
		case strings.HasPrefix(lower, "x-amz-meta-"), strings.HasPrefix(lower, "x-amz-checksum-") && lower != "x-amz-checksum-algorithm" && lower != "x-amz-checksum-mode" && lower != "x-amz-checksum-type",
			lower == "content-type", lower == "content-encoding", lower == "cache-control", lower == "content-disposition", lower == "content-language":
			out[name] = values
		}
	}
	if out.Get("Content-Type") == "" {
		out.Set("Content-Type", "binary/octet-stream")
	}
	return out
}

// mayWrite judges the conditions of a write.
func (q *request) mayWrite(b *bucket) error {
	failed := fail(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	current := b.newest(q.key)
	if q.r.Header.Get("If-None-Match") == "*" && current != nil {
		return failed
	}
	want := q.r.Header.Get("If-Match")
	switch {
	case want == "":
		return nil
	case current == nil:
		_, err := b.get(q.key, "")
		return err
	case !sameTag(want, current.etag):
		return failed
	}
	return nil
}

func sameTag(want, have string) bool {
	return want == "*" || strings.Trim(want, `"`) == strings.Trim(have, `"`)
}

func (s *Service) putObject(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	if err := q.mayWrite(b); err != nil {
		return err
	}
	tags, err := spokenTags(q.r)
	if err != nil {
		return err
	}
	o := &object{body: q.body, etag: etagOf(q.body), modified: s.now(), header: kept(q.r.Header), tags: tags}
	b.add(q.key, o)
	q.happened(b, "ObjectCreated:Put", q.key, o)
	q.written(b, o)
	return q.empty(http.StatusOK)
}

// written tells of a new version in headers and in the record.
func (q *request) written(b *bucket, o *object) {
	q.w.Header().Set("Etag", o.etag)
	for name, values := range o.header {
		if strings.HasPrefix(strings.ToLower(name), "x-amz-checksum-") {
			q.w.Header()[name] = values
		}
	}
	if b.versioning != "" {
		q.w.Header().Set("X-Amz-Version-Id", o.version)
		q.call.Response = map[string]any{"x-amz-version-id": o.version}
	}
}

// getObject answers GET and HEAD.
func (s *Service) getObject(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	o, err := b.get(q.key, q.query.Get("versionId"))
	if err != nil {
		return err
	}
	h := q.w.Header()
	for name, values := range o.header {
		if !strings.HasPrefix(strings.ToLower(name), "x-amz-checksum-") || q.r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" && q.r.Header.Get("Range") == "" {
			h[name] = values
		}
	}
	h.Set("Etag", o.etag)
	h.Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	if len(o.tags) > 0 {
		h.Set("X-Amz-Tagging-Count", strconv.Itoa(len(o.tags)))
	}
	if b.versioning != "" {
		h.Set("X-Amz-Version-Id", o.version)
	}
	if want := q.r.Header.Get("If-Match"); want != "" && !sameTag(want, o.etag) {
		return fail(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	}
	if want := q.r.Header.Get("If-None-Match"); want != "" && sameTag(want, o.etag) {
		return q.empty(http.StatusNotModified)
	}
	return q.send(o.body)
}

// send writes a body, or the range of it that was asked for.
func (q *request) send(body []byte) error {
	status, total := http.StatusOK, len(body)
	if want := q.r.Header.Get("Range"); want != "" {
		from, to, ok := parseRange(want, total)
		if !ok {
			return fail(416, "InvalidRange", "The requested range is not satisfiable")
		}
		body, status = body[from:to+1], http.StatusPartialContent
		q.w.Header().Set("Content-Range", "bytes "+strconv.Itoa(from)+"-"+strconv.Itoa(to)+"/"+strconv.Itoa(total))
	}
	q.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	q.w.WriteHeader(status)
	if q.r.Method != http.MethodHead {
		_, _ = q.w.Write(body) // a client that went away is nobody's fault
	}
	return nil
}

// parseRange reads bytes=a-b, bytes=a- and bytes=-n; to is inclusive.
func parseRange(text string, total int) (from, to int, ok bool) {
	first, last, ok := strings.Cut(strings.TrimPrefix(text, "bytes="), "-")
	if !ok {
		return 0, 0, false
	}
	to = total - 1
	if first == "" {
		n, err := strconv.Atoi(last)
		return max(0, total-n), to, err == nil && n > 0 && total > 0
	}
	from, err := strconv.Atoi(first)
	if err != nil || from < 0 {
		return 0, 0, false
	}
	if last != "" {
		n, err := strconv.Atoi(last)
		if err != nil {
			return 0, 0, false
		}
		to = min(n, to)
	}
	return from, to, from <= to
}

func (s *Service) deleteObject(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	version, marker := s.drop(b, q.key, q.query.Get("versionId"))
	q.removed(b, q.key, marker && q.query.Get("versionId") == "")
	if version != "" {
		q.w.Header().Set("X-Amz-Version-Id", version)
	}
	if marker {
		q.w.Header().Set("X-Amz-Delete-Marker", "true")
	}
	return q.empty(http.StatusNoContent)
}

// drop deletes: one version for good, or the key by a delete marker where the
// bucket keeps versions.
func (s *Service) drop(b *bucket, key, version string) (dropped string, marker bool) {
	switch {
	case version != "":
		o := b.remove(key, version)
		return version, o != nil && o.marker
	case b.versioning == "":
		b.remove(key, nullVersion)
		return "", false
	default:
		o := &object{marker: true, modified: s.now()}
		b.add(key, o)
		return o.version, true
	}
}

type deleteRequest struct {
	Quiet   bool
	Objects []struct{ Key, VersionId string } `xml:"Object"`
}

type deletedEntry struct {
	Key                   string
	VersionId             string `xml:",omitempty"`
	DeleteMarker          bool   `xml:",omitempty"`
	DeleteMarkerVersionId string `xml:",omitempty"`
}

type deleteResult struct {
	XMLName xml.Name       `xml:"DeleteResult"`
	Xmlns   string         `xml:"xmlns,attr"`
	Deleted []deletedEntry `xml:"Deleted"`
}

func (s *Service) deleteObjects(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	var in deleteRequest
	if err := q.parse(&in); err != nil {
		return err
	}
	out := deleteResult{Xmlns: namespace}
	for _, o := range in.Objects {
		version, marker := s.drop(b, o.Key, o.VersionId)
		q.removed(b, o.Key, marker && o.VersionId == "")
		entry := deletedEntry{Key: o.Key, VersionId: o.VersionId, DeleteMarker: marker}
		if marker {
			entry.DeleteMarkerVersionId = version
		}
		if !in.Quiet {
			out.Deleted = append(out.Deleted, entry)
		}
	}
	return q.answer(out)
}

type copyResult struct {
	XMLName      xml.Name `xml:"CopyObjectResult"`
	Xmlns        string   `xml:"xmlns,attr"`
	ETag         string
	LastModified string
}

func (s *Service) copyObject(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	source, _, _ := strings.Cut(q.r.Header.Get("X-Amz-Copy-Source"), "?versionId=")
	_, version, _ := strings.Cut(q.r.Header.Get("X-Amz-Copy-Source"), "?versionId=")
	source, err = url.PathUnescape(strings.TrimPrefix(source, "/"))
	if err != nil {
		return fail(400, "InvalidArgument", "The copy source is not a valid path")
	}
	name, key, _ := strings.Cut(source, "/")
	from, err := s.find(name)
	if err != nil {
		return err
	}
	o, err := from.get(key, version)
	if err != nil {
		return err
	}
	header := o.header
	if q.r.Header.Get("X-Amz-Metadata-Directive") == "REPLACE" {
		header = kept(q.r.Header)
	}
	tags := slices.Clone(o.tags)
	if q.r.Header.Get("X-Amz-Tagging-Directive") == "REPLACE" {
		if tags, err = spokenTags(q.r); err != nil {
			return err
		}
	}
	copied := &object{body: o.body, etag: o.etag, modified: s.now(), header: header.Clone(), tags: tags}
	b.add(q.key, copied)
	q.happened(b, "ObjectCreated:Copy", q.key, copied)
	q.written(b, copied)
	return q.answer(copyResult{Xmlns: namespace, ETag: copied.etag, LastModified: stamp(copied.modified)})
}
