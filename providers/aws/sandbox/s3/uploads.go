package s3

import (
	"cmp"
	"encoding/xml"
	"maps"
	"slices"
	"strconv"
	"strings"
)

type uploadEntry struct{ Key, UploadId, Initiated string }

type uploadsResult struct {
	XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
	Xmlns              string   `xml:"xmlns,attr"`
	Bucket, Prefix     string
	EncodingType       string `xml:",omitempty"`
	KeyMarker          string
	UploadIdMarker     string
	NextKeyMarker      string `xml:",omitempty"`
	NextUploadIdMarker string `xml:",omitempty"`
	MaxUploads         int
	IsTruncated        bool
	Uploads            []uploadEntry `xml:"Upload"`
}

// most reads how many entries a page may have.
func (q *request) most(parameter string) (int, error) {
	text := q.query.Get(parameter)
	if text == "" {
		return 1000, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fail(400, "InvalidArgument", parameter+" must be a number from 0 on")
	}
	return min(n, 1000), nil
}

// inOrder are the identifiers of a bucket's uploads: by key, the oldest first.
func (b *bucket) inOrder() []string {
	return slices.SortedFunc(maps.Keys(b.uploads), func(x, y string) int {
		u, v := b.uploads[x], b.uploads[y]
		return cmp.Or(strings.Compare(u.key, v.key), u.started.Compare(v.started), strings.Compare(x, y))
	})
}

// listUploads lists the uploads under way, in pages.
func (s *Service) listUploads(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	limit, err := q.most("max-uploads")
	if err != nil {
		return err
	}
	after, id, prefix := q.query.Get("key-marker"), q.query.Get("upload-id-marker"), q.query.Get("prefix")
	out := uploadsResult{
		Xmlns: namespace, Bucket: b.name, Prefix: q.spell(prefix), EncodingType: q.query.Get("encoding-type"),
		KeyMarker: q.spell(after), UploadIdMarker: id, MaxUploads: limit,
	}
	ids := b.inOrder()
	last := slices.Index(ids, id) // of the key it was given with
	for i, each := range ids {
		u := b.uploads[each]
		passed := u.key < after || u.key == after && after != "" && (last < 0 || i <= last)
		if passed || !strings.HasPrefix(u.key, prefix) {
			continue
		}
		if len(out.Uploads) == limit {
			out.IsTruncated = true
			break
		}
		out.Uploads = append(out.Uploads, uploadEntry{Key: q.spell(u.key), UploadId: each, Initiated: stamp(u.started)})
	}
	if n := len(out.Uploads); out.IsTruncated && n > 0 {
		out.NextKeyMarker, out.NextUploadIdMarker = out.Uploads[n-1].Key, out.Uploads[n-1].UploadId
	}
	return q.answer(out)
}

type partEntry struct {
	PartNumber int
	ETag       string
	Size       int
}

type partsResult struct {
	XMLName              xml.Name `xml:"ListPartsResult"`
	Xmlns                string   `xml:"xmlns,attr"`
	Bucket, Key          string
	UploadId             string
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	Parts                []partEntry `xml:"Part"`
}

// listParts lists the parts an upload has so far, in pages.
func (s *Service) listParts(q *request) error {
	_, u, err := s.upload(q)
	if err != nil {
		return err
	}
	limit, err := q.most("max-parts")
	if err != nil {
		return err
	}
	after := 0
	if text := q.query.Get("part-number-marker"); text != "" {
		if after, err = strconv.Atoi(text); err != nil {
			return fail(400, "InvalidArgument", "part-number-marker must be a number")
		}
	}
	out := partsResult{
		Xmlns: namespace, Bucket: q.bucket, Key: q.key, UploadId: q.query.Get("uploadId"), PartNumberMarker: after, MaxParts: limit,
	}
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		if n <= after {
			continue
		}
		if len(out.Parts) == limit {
			out.IsTruncated = true
			break
		}
		out.Parts = append(out.Parts, partEntry{PartNumber: n, ETag: etagOf(u.parts[n]), Size: len(u.parts[n])})
		out.NextPartNumberMarker = n
	}
	return q.answer(out)
}
