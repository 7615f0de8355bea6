package s3

import (
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
)

type bucketEntry struct {
	Name         string
	CreationDate string
}

type bucketList struct {
	XMLName xml.Name `xml:"ListAllMyBucketsResult"`
	Xmlns   string   `xml:"xmlns,attr"`
	Owner   owner
	Buckets []bucketEntry `xml:"Buckets>Bucket"`
}

type owner struct {
	ID          string
	DisplayName string
}

func (s *Service) listBuckets(q *request) error {
	out := bucketList{Xmlns: namespace, Owner: owner{ID: q.call.Account, DisplayName: q.call.Account}}
	for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
		if b := s.buckets[name]; b.account == q.call.Account {
			out.Buckets = append(out.Buckets, bucketEntry{Name: name, CreationDate: stamp(b.created)})
		}
	}
	return q.answer(out)
}

type bucketConfiguration struct{ LocationConstraint string }

func (s *Service) createBucket(q *request) error {
	region := "us-east-1"
	if len(q.body) > 0 {
		var in bucketConfiguration
		if err := q.parse(&in); err != nil {
			return err
		}
		if in.LocationConstraint != "" {
			region = in.LocationConstraint
		}
	}
	if len(q.bucket) < 3 || len(q.bucket) > 63 {
		return fail(400, "InvalidBucketName", "The specified bucket is not valid.")
	}
	if b, taken := s.buckets[q.bucket]; taken {
		switch {
		case b.account != q.call.Account:
			return fail(409, "BucketAlreadyExists", "The requested bucket name is not available.")
		case b.region != "us-east-1" || region != "us-east-1":
			return fail(409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
		}
		return q.empty(http.StatusOK) // as in us-east-1
	}
	s.buckets[q.bucket] = &bucket{
		name: q.bucket, account: q.call.Account, region: region, created: s.now(),
		objects: map[string][]*object{}, uploads: map[string]*upload{}, documents: map[string][]byte{},
	}
	s.buckets[q.bucket].documents["publicAccessBlock"] = blocked // as of every new bucket
	q.w.Header().Set("Location", "/"+q.bucket)
	return q.empty(http.StatusOK)
}

var blocked = []byte(`<PublicAccessBlockConfiguration xmlns="` + namespace + `"><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>` +
	`<BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>`)

func (s *Service) deleteBucket(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	if len(b.objects) > 0 {
		return fail(409, "BucketNotEmpty", "The bucket you tried to delete is not empty")
	}
	delete(s.buckets, q.bucket)
	return q.empty(http.StatusNoContent)
}

func (s *Service) headBucket(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	q.w.Header().Set("X-Amz-Bucket-Region", b.region)
	return q.empty(http.StatusOK)
}

type locationDocument struct {
	XMLName xml.Name `xml:"LocationConstraint"`
	Xmlns   string   `xml:"xmlns,attr"`
	Region  string   `xml:",chardata"`
}

func (s *Service) location(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	out := locationDocument{Xmlns: namespace, Region: b.region}
	if b.region == "us-east-1" { // which S3 calls nothing
		out.Region = ""
	}
	return q.answer(out)
}

type versioningDocument struct {
	XMLName xml.Name `xml:"VersioningConfiguration"`
	Xmlns   string   `xml:"xmlns,attr"`
	Status  string   `xml:",omitempty"`
}

func (s *Service) getVersioning(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	return q.answer(versioningDocument{Xmlns: namespace, Status: b.versioning})
}

func (s *Service) putVersioning(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	var in struct{ Status string }
	if err := q.parse(&in); err != nil {
		return err
	}
	if in.Status != "Enabled" && in.Status != "Suspended" {
		return fail(400, "IllegalVersioningConfigurationException", "The versioning status is Enabled or Suspended")
	}
	b.versioning = in.Status
	return q.empty(http.StatusOK)
}

// asked is the document a request is about.
func (q *request) asked() document {
	for _, d := range documents {
		if q.query.Has(d.query) {
			return d
		}
	}
	return document{}
}

func (s *Service) getDocument(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	d := q.asked()
	raw, ok := b.documents[d.query]
	switch {
	case !ok && d.missing != "":
		return fail(404, d.missing, "The "+d.query+" document does not exist")
	case !ok && d.query == "acl":
		raw = ownerGrant(b.account)
	case !ok:
		raw = []byte("<" + d.root + ` xmlns="` + namespace + `"/>`)
	}
	kind := "application/xml"
	if d.query == "policy" {
		kind = "application/json"
	}
	q.w.Header().Set("Content-Type", kind)
	q.w.WriteHeader(http.StatusOK)
	_, _ = q.w.Write(raw) // a client that went away is nobody's fault
	return nil
}

func ownerGrant(account string) []byte {
	return []byte(`<AccessControlPolicy xmlns="` + namespace + `"><Owner><ID>` + account + `</ID></Owner><AccessControlList><Grant>` +
		`<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>` + account +
		`</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>`)
}

func (s *Service) putDocument(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	if len(q.body) > 0 { // a canned ACL has none
		b.documents[q.asked().query] = q.body
	}
	return q.empty(http.StatusOK)
}

func (s *Service) deleteDocument(q *request) error {
	b, err := s.find(q.bucket)
	if err != nil {
		return err
	}
	delete(b.documents, q.asked().query)
	return q.empty(http.StatusNoContent)
}
