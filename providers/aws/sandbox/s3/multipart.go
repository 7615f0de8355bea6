package s3

import (
	"crypto/md5" //nolint:gosec // what an ETag is
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// upload is a multipart upload under way.
type upload struct {
	key     string
	started time.Time
	header  http.Header
	tags    []tag
	parts   map[int][]byte
}

type uploadStarted struct {
	XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
	Xmlns    string   `xml:"xmlns,attr"`
	Bucket   string
	Key      string
	UploadId string
}

func (s *Service) createUpload(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	tags, err := spokenTags(q.r)
	if err != nil {
		return err
	}
	id := strings.ReplaceAll(wire.NewID(), "-", "")
	b.uploads[id] = &upload{key: q.key, started: s.now(), header: kept(q.r.Header), tags: tags, parts: map[int][]byte{}}
	return q.answer(uploadStarted{Xmlns: namespace, Bucket: q.bucket, Key: q.key, UploadId: id})
}

func (s *Service) upload(q *request) (*bucket, *upload, error) {
	b, err := s.find(q.bucket)
	if err != nil {
		return nil, nil, err
	}
	u, ok := b.uploads[q.query.Get("uploadId")]
	if !ok || u.key != q.key {
		return nil, nil, fail(404, "NoSuchUpload", "The specified multipart upload does not exist.")
	}
	return b, u, nil
}

func (s *Service) uploadPart(q *request) error {
	_, u, err := s.upload(q)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(q.query.Get("partNumber"))
	if err != nil || n < 1 || n > 10_000 {
		return fail(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
	}
	u.parts[n] = q.body
	q.w.Header().Set("Etag", etagOf(q.body))
	return q.empty(http.StatusOK)
}

type completion struct {
	Parts []struct {
		PartNumber int
		ETag       string
	} `xml:"Part"`
}

type uploadDone struct {
	XMLName                     xml.Name `xml:"CompleteMultipartUploadResult"`
	Xmlns                       string   `xml:"xmlns,attr"`
	Location, Bucket, Key, ETag string
}

func (s *Service) completeUpload(q *request) error {
	b, u, err := s.upload(q)
	if err != nil {
		return err
	}
	var in completion
	if err := q.parse(&in); err != nil {
		return err
	}
	o, err := u.assemble(in)
	if err != nil {
		return err
	}
	if err := q.mayWrite(b); err != nil {
		return err
	}
	o.modified = s.now()
	b.add(q.key, o)
	q.happened(b, "ObjectCreated:CompleteMultipartUpload", q.key, o)
	delete(b.uploads, q.query.Get("uploadId"))
	q.written(b, o)
	return q.answer(uploadDone{Xmlns: namespace, Location: "/" + q.bucket + "/" + q.key, Bucket: q.bucket, Key: q.key, ETag: o.etag})
}

// assemble joins the parts named, in order.
func (u *upload) assemble(in completion) (*object, error) {
	var body, digests []byte
	last := 0
	for _, p := range in.Parts {
		part, ok := u.parts[p.PartNumber]
		if !ok || !sameTag(p.ETag, etagOf(part)) {
			return nil, fail(400, "InvalidPart", "One or more of the specified parts could not be found.")
		}
		if p.PartNumber <= last {
			return nil, fail(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
		}
		last = p.PartNumber
		body = append(body, part...)
		sum := md5.Sum(part) //nolint:gosec // what an ETag is
		digests = append(digests, sum[:]...)
	}
	if last == 0 {
		return nil, fail(400, "MalformedXML", "You must specify at least one part")
	}
	sum := md5.Sum(digests) //nolint:gosec // what an ETag is
	return &object{body: body, header: u.header, tags: u.tags, etag: `"` + hex.EncodeToString(sum[:]) + "-" + strconv.Itoa(len(in.Parts)) + `"`}, nil
}

func (s *Service) abortUpload(q *request) error {
	b, _, err := s.upload(q)
	if err != nil {
		return err
	}
	delete(b.uploads, q.query.Get("uploadId"))
	return q.empty(http.StatusNoContent)
}
