package s3

import (
	"encoding/xml"
	"maps"
	"net/url"
	"slices"
	"strings"
)

type listEntry struct {
	Key, LastModified, ETag string
	Size                    int
	StorageClass            string
}

type commonPrefix struct{ Prefix string }

type listResult struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Xmlns                 string   `xml:"xmlns,attr"`
	Name, Prefix          string
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	MaxKeys               int
	KeyCount              *int `xml:",omitempty"`
	IsTruncated           bool
	StartAfter            string         `xml:",omitempty"`
	ContinuationToken     string         `xml:",omitempty"`
	NextContinuationToken string         `xml:",omitempty"`
	Marker                *string        `xml:",omitempty"`
	NextMarker            string         `xml:",omitempty"`
	Contents              []listEntry    `xml:"Contents"`
	CommonPrefixes        []commonPrefix `xml:"CommonPrefixes"`
}

// spell is a key as the list writes it: percent-encoded on request.
func (q *request) spell(key string) string {
	if q.query.Get("encoding-type") != "url" {
		return key
	}
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(key), "+", "%20"), "%2F", "/")
}

func (s *Service) listObjectsV2(q *request) error {
	after := q.query.Get("continuation-token")
	if after == "" {
		after = q.query.Get("start-after")
	}
	out, last, err := s.list(q, after)
	if err != nil {
		return err
	}
	count := len(out.Contents) + len(out.CommonPrefixes)
	out.KeyCount, out.StartAfter, out.ContinuationToken = &count, q.query.Get("start-after"), q.query.Get("continuation-token")
	if out.IsTruncated {
		out.NextContinuationToken = last
	}
	return q.answer(out)
}

func (s *Service) listObjects(q *request) error {
	marker := q.query.Get("marker")
	out, last, err := s.list(q, marker)
	if err != nil {
		return err
	}
	out.Marker = &marker
	if out.IsTruncated {
		out.NextMarker = q.spell(last)
	}
	return q.answer(out)
}

// list collects keys after one, folding those with a delimiter into prefixes;
// last is the last key or prefix it took.
func (s *Service) list(q *request, after string) (out listResult, last string, err error) {
	b, err := s.find(q.bucket)
	if err != nil {
		return out, "", err
	}
	limit, err := q.most("max-keys")
	if err != nil {
		return out, "", err
	}
	prefix, delimiter := q.query.Get("prefix"), q.query.Get("delimiter")
	out = listResult{
		Xmlns: namespace, Name: b.name, Prefix: q.spell(prefix), Delimiter: delimiter,
		EncodingType: q.query.Get("encoding-type"), MaxKeys: limit,
	}
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		o := b.newest(key)
		if o == nil || !strings.HasPrefix(key, prefix) || key <= after {
			continue
		}
		folded := fold(key, prefix, delimiter)
		if folded != "" && (folded == last || folded == after) {
			continue
		}
		if len(out.Contents)+len(out.CommonPrefixes) == limit {
			out.IsTruncated = true
			break
		}
		if folded != "" {
			out.CommonPrefixes = append(out.CommonPrefixes, commonPrefix{Prefix: q.spell(folded)})
			last = folded
			continue
		}
		out.Contents = append(out.Contents, listEntry{
			Key: q.spell(key), LastModified: stamp(o.modified), ETag: o.etag, Size: len(o.body), StorageClass: "STANDARD",
		})
		last = key
	}
	return out, last, nil
}

// fold is the common prefix of a key up to its first delimiter; "" if it has
// none.
func fold(key, prefix, delimiter string) string {
	if delimiter == "" {
		return ""
	}
	i := strings.Index(key[len(prefix):], delimiter)
	if i < 0 {
		return ""
	}
	return key[:len(prefix)+i+len(delimiter)]
}
