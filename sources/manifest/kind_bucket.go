package manifest

func bucketKind() *kind {
	return newKind[BucketSpec](kind{
		name:       KindBucket,
		summary:    "An S3 bucket that functions work with. Never deleted unless its manifest says so.",
		nameRule:   rule{required: true, maxLen: 63, match: patterns["bucketName"]},
		limit:      63,
		attributes: []string{"arn", "name", AttributeObjects},
		stateful:   true,
		noSpec:     true,
		expand:     expandBucket,
		example: `apiVersion: mooring.dev/v1
kind: Bucket
metadata: {name: uploads}
spec:
  versioning: Enabled
---
apiVersion: mooring.dev/v1
kind: Bucket
metadata: {name: archive, physicalName: acme-archive}
spec: {manage: false} # somebody else's: it must be there
`,
	})
}

func (b *BucketSpec) check(d *decoder, n *node) {
	checkTags(d, n.get("tags"), b.Tags)
	if !b.Manage {
		checkBound(d, n, b.DeletionPolicy)
	}
}

func expandBucket(x *expansion) {
	b := *x.written.(*BucketSpec)
	if len(x.physical) < 3 || !patterns["bucketName"].re.MatchString(x.physical) {
		x.fault("name", "a bucket cannot be called "+quote(x.physical), "want three characters at least: "+patterns["bucketName"].want)
	}
	if b.Manage {
		if b.PublicAccessBlock == nil {
			b.PublicAccessBlock = &PublicAccessBlock{true, true, true, true}
		}
		if b.EventBridgeNotificationEnabled == nil {
			b.EventBridgeNotificationEnabled = new(bool)
		}
	}
	x.top(&b, nil)
}
