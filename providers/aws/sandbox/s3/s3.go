// Package s3 is the sandbox's Simple Storage Service, as far as artifacts need
// it: buckets, versions, conditional writes, ranges, multipart uploads, and the
// chunked encoding SDKs upload with. Buckets of every account and region live
// in one namespace. It refuses access control: it keeps policies and other
// bucket documents, and honours none.
package s3

import (
	"bytes"
	"encoding/xml"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Options are the service's time, and what notifications need of their
// neighbours: nil for a sandbox that tells nobody.
type Options struct {
	Now func() time.Time
	// May tells whether a bucket may tell a target, by ARNs, the bucket's with
	// its account: S3 asks when the document is put.
	May func(bucket, target string) bool
	// Tell hands a target an event. A target of "" is the bus of a place.
	Tell func(n Notice)
}

// Service is all buckets.
type Service struct {
	options  Options
	now      func() time.Time
	handlers map[string]func(*request) error

	mu      sync.Mutex
	buckets map[string]*bucket
}

// bucket is one bucket; the service's lock guards it.
type bucket struct {
	name, account, region string
	created               time.Time
	versioning            string               // "", Enabled or Suspended
	objects               map[string][]*object // versions by key, oldest first
	uploads               map[string]*upload
	documents             map[string][]byte // policy, lifecycle, … as they were put
}

// New makes a service without buckets.
func New(o Options) *Service {
	s := &Service{options: o, now: o.Now, buckets: map[string]*bucket{}}
	s.handlers = map[string]func(*request) error{
		"ListBuckets": s.listBuckets, "CreateBucket": s.createBucket, "DeleteBucket": s.deleteBucket,
		"HeadBucket": s.headBucket, "GetBucketLocation": s.location,
		"GetBucketVersioning": s.getVersioning, "PutBucketVersioning": s.putVersioning,
		"ListObjects": s.listObjects, "ListObjectsV2": s.listObjectsV2, "ListObjectVersions": s.listVersions,
		"PutObject": s.putObject, "GetObject": s.getObject, "HeadObject": s.getObject,
		"DeleteObject": s.deleteObject, "DeleteObjects": s.deleteObjects, "CopyObject": s.copyObject,
		"CreateMultipartUpload": s.createUpload, "UploadPart": s.uploadPart,
		"CompleteMultipartUpload": s.completeUpload, "AbortMultipartUpload": s.abortUpload,
		"GetObjectTagging": s.getObjectTags, "PutObjectTagging": s.putObjectTags, "DeleteObjectTagging": s.deleteObjectTags,
		"GetObjectAcl":         s.getObjectACL,
		"ListMultipartUploads": s.listUploads, "ListParts": s.listParts,
	}
	for _, d := range documents {
		s.handlers["GetBucket"+d.noun] = s.getDocument
		s.handlers["PutBucket"+d.noun] = s.putDocument
		s.handlers["DeleteBucket"+d.noun] = s.deleteDocument
	}
	return s
}

// Name is the signing name.
func (s *Service) Name() string { return "s3" }

// request is one call, taken apart.
type request struct {
	w           http.ResponseWriter
	r           *http.Request
	body        []byte
	call        *wire.Call
	bucket, key string
	query       url.Values
	notices     []Notice // to be told once the lock is free
}

// address finds bucket and key, in the host's name or in the path.
func address(r *http.Request) (bucket, key string) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	host := r.Host
	if h, _, err := net.SplitHostPort(r.Host); err == nil {
		host = h
	}
	for _, mark := range [...]string{".s3.", ".s3-", ".localhost"} {
		if i := strings.Index(host, mark); i > 0 && host[:i] != "s3" {
			return host[:i], path
		}
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

// Serve answers one call.
func (s *Service) Serve(w http.ResponseWriter, r *http.Request, body []byte, c *wire.Call) {
	reply := wire.Reply{Protocol: wire.RESTXML, RequestID: c.ID}
	q := &request{w: w, r: r, call: c, query: r.URL.Query()}
	q.bucket, q.key = address(r)
	c.Params = map[string]any{}
	if q.bucket != "" {
		c.Params["bucketName"] = q.bucket
	}
	if q.key != "" {
		c.Params["key"] = q.key
	}
	w.Header().Set("X-Amz-Request-Id", c.ID)
	var err error
	if q.body, err = decodeBody(r, body); err == nil {
		if handle := s.handlers[c.Operation]; handle != nil {
			if c.Operation == "PutBucketNotificationConfiguration" { // its targets are asked without the lock
				err = s.checkNotifications(q)
			}
			if err == nil {
				s.mu.Lock()
				err = handle(q)
				s.mu.Unlock()
			}
			s.tell(q)
		} else {
			err = wire.Unknown(c.Operation)
		}
	}
	if err == nil {
		return
	}
	if r.Method == http.MethodHead { // a HEAD's error has no body
		w.WriteHeader(wire.AsError(err).Status)
		return
	}
	reply.WriteError(w, err)
}

func fail(status int, code, message string) *wire.Error {
	return &wire.Error{Status: status, Code: code, Message: message}
}

// find is the request's bucket; the caller holds the lock.
func (s *Service) find(name string) (*bucket, error) {
	b, ok := s.buckets[name]
	if !ok {
		return nil, &wire.Error{Status: 404, Code: "NoSuchBucket", Message: "The specified bucket does not exist", Members: map[string]any{"BucketName": name}}
	}
	return b, nil
}

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// answer writes a document.
func (q *request) answer(document any) error {
	raw, err := xml.Marshal(document)
	if err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", "application/xml")
	q.w.WriteHeader(http.StatusOK)
	_, _ = q.w.Write(append([]byte(xml.Header), raw...)) // a client that went away is nobody's fault
	return nil
}

func (q *request) empty(status int) error {
	q.w.WriteHeader(status)
	return nil
}

func (q *request) parse(document any) error {
	if err := xml.NewDecoder(bytes.NewReader(q.body)).Decode(document); err != nil {
		return fail(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	return nil
}

// stamp is a time as S3's documents write it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Get reads an object; version "" is the newest. The error is a *wire.Error
// (NoSuchBucket, NoSuchKey, NoSuchVersion).
func (s *Service) Get(bucket, key, version string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.find(bucket)
	if err != nil {
		return nil, err
	}
	o, err := b.get(key, version)
	if err != nil {
		return nil, err
	}
	return o.body, nil
}
