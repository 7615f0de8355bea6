package s3

import (
	"net/http"
	"net/url"
)

// document is a bucket's sub-resource that is kept and not interpreted.
type document struct {
	noun    string // of its operations: GetBucketPolicy
	query   string // ?policy
	missing string // the error when there is none; "" answers an empty one
	root    string // the element of the empty one
}

var documents = [...]document{
	{"Policy", "policy", "NoSuchBucketPolicy", ""},
	{"Cors", "cors", "NoSuchCORSConfiguration", ""},
	{"Website", "website", "NoSuchWebsiteConfiguration", ""},
	{"LifecycleConfiguration", "lifecycle", "NoSuchLifecycleConfiguration", ""},
	{"Replication", "replication", "ReplicationConfigurationNotFoundError", ""},
	{"Encryption", "encryption", "ServerSideEncryptionConfigurationNotFoundError", ""},
	{"Tagging", "tagging", "NoSuchTagSet", ""},
	{"ObjectLockConfiguration", "object-lock", "ObjectLockConfigurationNotFoundError", ""},
	{"PublicAccessBlock", "publicAccessBlock", "NoSuchPublicAccessBlockConfiguration", ""},
	{"OwnershipControls", "ownershipControls", "OwnershipControlsNotFoundError", ""},
	{"Acl", "acl", "", "AccessControlPolicy"},
	{"AccelerateConfiguration", "accelerate", "", "AccelerateConfiguration"},
	{"Logging", "logging", "", "BucketLoggingStatus"},
	{"RequestPayment", "requestPayment", "", "RequestPaymentConfiguration"},
	{"NotificationConfiguration", "notification", "", "NotificationConfiguration"},
}

// Operation names the call.
func (s *Service) Operation(r *http.Request, _ []byte) string {
	bucket, key := address(r)
	q := r.URL.Query()
	switch {
	case bucket == "" && r.Method == http.MethodGet:
		return "ListBuckets"
	case bucket == "":
		return ""
	case key == "":
		return bucketOperation(r.Method, q)
	default:
		return objectOperation(r, q)
	}
}

func bucketOperation(method string, q url.Values) string {
	for _, d := range documents {
		if q.Has(d.query) {
			return map[string]string{"GET": "GetBucket", "PUT": "PutBucket", "DELETE": "DeleteBucket"}[method] + d.noun
		}
	}
	switch method {
	case http.MethodGet:
		switch {
		case q.Has("location"):
			return "GetBucketLocation"
		case q.Has("versioning"):
			return "GetBucketVersioning"
		case q.Has("versions"):
			return "ListObjectVersions"
		case q.Has("uploads"):
			return "ListMultipartUploads"
		case q.Get("list-type") == "2":
			return "ListObjectsV2"
		}
		return "ListObjects"
	case http.MethodPut:
		if q.Has("versioning") {
			return "PutBucketVersioning"
		}
		return "CreateBucket"
	case http.MethodHead:
		return "HeadBucket"
	case http.MethodDelete:
		return "DeleteBucket"
	case http.MethodPost:
		if q.Has("delete") {
			return "DeleteObjects"
		}
	}
	return ""
}

// subResources are an object's sub-resources by their query. Most are refused, and
// none may be taken for the object itself.
var subResources = map[string]string{
	"tagging": "Tagging", "acl": "Acl", "retention": "Retention", "legal-hold": "LegalHold",
	"attributes": "Attributes", "torrent": "Torrent", "restore": "Restore", "select": "Select",
}

func objectOperation(r *http.Request, q url.Values) string {
	for query, noun := range subResources {
		if q.Has(query) {
			return map[string]string{"GET": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject", "POST": "PostObject"}[r.Method] + noun
		}
	}
	upload := q.Has("uploadId")
	switch r.Method {
	case http.MethodGet:
		if upload {
			return "ListParts"
		}
		return "GetObject"
	case http.MethodHead:
		return "HeadObject"
	case http.MethodPut:
		switch {
		case upload:
			return "UploadPart"
		case r.Header.Get("X-Amz-Copy-Source") != "":
			return "CopyObject"
		}
		return "PutObject"
	case http.MethodDelete:
		if upload {
			return "AbortMultipartUpload"
		}
		return "DeleteObject"
	case http.MethodPost:
		switch {
		case q.Has("uploads"):
			return "CreateMultipartUpload"
		case upload:
			return "CompleteMultipartUpload"
		}
	}
	return ""
}
