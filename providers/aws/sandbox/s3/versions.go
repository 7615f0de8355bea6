package s3

import (
	"encoding/xml"
	"maps"
	"slices"
	"strings"
)

type versionEntry struct {
	Key, VersionId string
	IsLatest       bool
	LastModified   string
	ETag           string `xml:",omitempty"`
	Size           *int   `xml:",omitempty"`
	StorageClass   string `xml:",omitempty"`
}

type versionsResult struct {
	XMLName             xml.Name `xml:"ListVersionsResult"`
	Xmlns               string   `xml:"xmlns,attr"`
	Name, Prefix        string
	Delimiter           string `xml:",omitempty"`
	EncodingType        string `xml:",omitempty"`
	KeyMarker           string
	VersionIdMarker     string
	NextKeyMarker       string `xml:",omitempty"`
	NextVersionIdMarker string `xml:",omitempty"`
	MaxKeys             int
	IsTruncated         bool
	Versions            []versionEntry `xml:"Version"`
	DeleteMarkers       []versionEntry `xml:"DeleteMarker"`
	CommonPrefixes      []commonPrefix `xml:"CommonPrefixes"`
}

// versionsPage is a page of versions as it fills.
type versionsPage struct {
	q         *request
	out       versionsResult
	limit     int
	delimiter string
	prefix    string
}

// listVersions lists the versions of every key, newest first, in pages.
func (s *Service) listVersions(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	limit, err := q.most("max-keys")
	if err != nil {
		return err
	}
	p := &versionsPage{q: q, limit: limit, delimiter: q.query.Get("delimiter"), prefix: q.query.Get("prefix")}
	after, version := q.query.Get("key-marker"), q.query.Get("version-id-marker")
	if version != "" && after == "" {
		return fail(400, "InvalidArgument", "A version-id marker cannot be specified without a key marker.")
	}
	p.out = versionsResult{
		Xmlns: namespace, Name: b.name, Prefix: q.spell(p.prefix), Delimiter: p.delimiter, EncodingType: q.query.Get("encoding-type"),
		KeyMarker: q.spell(after), VersionIdMarker: version, MaxKeys: limit,
	}
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if !strings.HasPrefix(key, p.prefix) || key < after || key == after && version == "" {
			continue
		}
		folded := fold(key, p.prefix, p.delimiter)
		if folded != "" && folded == after {
			continue
		}
		skip := ""
		if key == after {
			skip = version
		}
		if !p.add(key, folded, skip, b.objects[key]) {
			break
		}
	}
	if !p.out.IsTruncated { // only then is there a next
		p.out.NextKeyMarker, p.out.NextVersionIdMarker = "", ""
	}
	return q.answer(p.out)
}

func (p *versionsPage) full() bool {
	if len(p.out.Versions)+len(p.out.DeleteMarkers)+len(p.out.CommonPrefixes) < p.limit {
		return false
	}
	p.out.IsTruncated = true
	return true
}

// add takes a key's versions after one; false when the page has no more room.
func (p *versionsPage) add(key, folded, after string, versions []*object) bool {
	if folded != "" {
		if n := len(p.out.CommonPrefixes); n > 0 && p.out.CommonPrefixes[n-1].Prefix == p.q.spell(folded) {
			return true
		}
		if p.full() {
			return false
		}
		p.out.CommonPrefixes = append(p.out.CommonPrefixes, commonPrefix{Prefix: p.q.spell(folded)})
		p.out.NextKeyMarker, p.out.NextVersionIdMarker = p.q.spell(folded), ""
		return true
	}
	passed := after == ""
	for i, o := range slices.Backward(versions) {
		if !passed {
			passed = o.version == after
			continue
		}
		if p.full() {
			return false
		}
		p.entry(key, o, i == len(versions)-1)
	}
	return true
}

func (p *versionsPage) entry(key string, o *object, latest bool) {
	e := versionEntry{Key: p.q.spell(key), VersionId: o.version, IsLatest: latest, LastModified: stamp(o.modified)}
	p.out.NextKeyMarker, p.out.NextVersionIdMarker = e.Key, o.version
	if o.marker {
		p.out.DeleteMarkers = append(p.out.DeleteMarkers, e)
		return
	}
	size := len(o.body)
	e.ETag, e.Size, e.StorageClass = o.etag, &size, "STANDARD"
	p.out.Versions = append(p.out.Versions, e)
}
