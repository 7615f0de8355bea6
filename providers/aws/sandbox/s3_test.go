package sandbox_test

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"mooring.dev/providers/aws/sandbox"
)

func bucket(t *testing.T, s *sandbox.Sandbox, versioned bool) *s3.Client {
	t.Helper()
	c := s3.NewFromConfig(as(s, "alice"))
	must(c.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:                    aws.String("artifacts"),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: region},
	}))(t)
	if versioned {
		must(c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
			Bucket: aws.String("artifacts"), VersioningConfiguration: &types.VersioningConfiguration{Status: "Enabled"},
		}))(t)
	}
	return c
}

func put(t *testing.T, c *s3.Client, key, body string) *s3.PutObjectOutput {
	t.Helper()
	return must(c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("artifacts"), Key: &key, Body: strings.NewReader(body)}))(t)
}

func text(t *testing.T, c *s3.Client, in *s3.GetObjectInput) string {
	t.Helper()
	in.Bucket = aws.String("artifacts")
	out := must(c.GetObject(t.Context(), in))(t)
	defer out.Body.Close()
	return string(must(io.ReadAll(out.Body))(t))
}

func TestObjectsAreReadBackWholeAndInRanges(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := bucket(t, s, false)
	put(t, c, "dir/a b+c.zip", "0123456789")
	key := aws.String("dir/a b+c.zip")
	for span, want := range map[string]string{"": "0123456789", "bytes=2-4": "234", "bytes=7-": "789", "bytes=-2": "89"} {
		in := &s3.GetObjectInput{Key: key}
		if span != "" {
			in.Range = &span
		}
		if got := text(t, c, in); got != want {
			t.Errorf("range %q: %q, want %q", span, got, want)
		}
	}
	if _, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("none")}); codeOf(err) != "NoSuchKey" {
		t.Errorf("an absent key: %v", err)
	}
	if _, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("none")}); codeOf(err) != "NotFound" {
		t.Errorf("the head of an absent key: %v", err)
	}
}

func TestUploadsKeepTheirChecksum(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := bucket(t, s, false)
	body := bytes.Repeat([]byte("mooring "), 40_000)
	must(c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("artifacts"), Key: aws.String("big"), Body: bytes.NewReader(body), ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
	}))(t)
	if got := text(t, c, &s3.GetObjectInput{Key: aws.String("big"), ChecksumMode: types.ChecksumModeEnabled}); got != string(body) {
		t.Errorf("%d bytes came back of %d", len(got), len(body))
	}
}

func TestVersionsStayWhenAKeyIsOverwrittenOrDeleted(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := bucket(t, s, true)
	first, second := put(t, c, "a.zip", "one"), put(t, c, "a.zip", "two")
	if *first.VersionId == *second.VersionId {
		t.Fatal("one version for two writes")
	}
	gone := must(c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("a.zip")}))(t)
	if !*gone.DeleteMarker {
		t.Error("no delete marker")
	}
	if _, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("a.zip")}); codeOf(err) != "NoSuchKey" {
		t.Errorf("a deleted key: %v", err)
	}
	if got := text(t, c, &s3.GetObjectInput{Key: aws.String("a.zip"), VersionId: first.VersionId}); got != "one" {
		t.Errorf("the first version holds %q", got)
	}
	versions := must(c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("artifacts")}))(t)
	if len(versions.Versions) != 2 || len(versions.DeleteMarkers) != 1 {
		t.Errorf("%d versions, %d markers", len(versions.Versions), len(versions.DeleteMarkers))
	}
}

func TestConditionalWrites(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := bucket(t, s, false)
	in := func() *s3.PutObjectInput {
		return &s3.PutObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("lease"), Body: strings.NewReader("x")}
	}
	create := in()
	create.IfNoneMatch = aws.String("*")
	first := must(c.PutObject(t.Context(), create))(t)
	create = in()
	create.IfNoneMatch = aws.String("*")
	if _, err := c.PutObject(t.Context(), create); codeOf(err) != "PreconditionFailed" {
		t.Errorf("a second creation: %v", err)
	}
	stale := in()
	stale.IfMatch = aws.String(`"0123"`)
	if _, err := c.PutObject(t.Context(), stale); codeOf(err) != "PreconditionFailed" {
		t.Errorf("a stale replacement: %v", err)
	}
	current := in()
	current.IfMatch = first.ETag
	must(c.PutObject(t.Context(), current))(t)
}

func TestListingFoldsAndPages(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := bucket(t, s, false)
	for _, key := range []string{"a/1", "a/2", "b/1", "c", "d"} {
		put(t, c, key, "x")
	}
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: aws.String("artifacts"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(2)})
	var got []string
	for pages.HasMorePages() {
		page := must(pages.NextPage(t.Context()))(t)
		for _, p := range page.CommonPrefixes {
			got = append(got, *p.Prefix)
		}
		for _, o := range page.Contents {
			got = append(got, *o.Key)
		}
		got = append(got, "|")
	}
	if want := "a/ b/ | c d |"; strings.Join(got, " ") != want {
		t.Errorf("listed %v, want %s", got, want)
	}
}

func TestMultipartUpload(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := bucket(t, s, false)
	up := must(c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("artifacts"), Key: aws.String("big")}))(t)
	var parts []types.CompletedPart
	for i, body := range []string{"first ", "second"} {
		n := aws.Int32(int32(i + 1))
		part := must(c.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: aws.String("artifacts"), Key: aws.String("big"), UploadId: up.UploadId, PartNumber: n, Body: strings.NewReader(body),
		}))(t)
		parts = append(parts, types.CompletedPart{PartNumber: n, ETag: part.ETag})
	}
	done := must(c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: aws.String("artifacts"), Key: aws.String("big"), UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}))(t)
	if !strings.HasSuffix(strings.Trim(*done.ETag, `"`), "-2") {
		t.Errorf("the ETag of two parts is %s", *done.ETag)
	}
	if got := text(t, c, &s3.GetObjectInput{Key: aws.String("big")}); got != "first second" {
		t.Errorf("assembled %q", got)
	}
}

func TestBucketsAreOneNamespace(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := bucket(t, s, false)
	other := s3.NewFromConfig(as(s, "222222222222"))
	if _, err := other.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("artifacts")}); codeOf(err) != "BucketAlreadyExists" {
		t.Errorf("another account's bucket: %v", err)
	}
	put(t, c, "a", "x")
	if _, err := c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String("artifacts")}); codeOf(err) != "BucketNotEmpty" {
		t.Errorf("a full bucket: %v", err)
	}
	location := must(c.GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: aws.String("artifacts")}))(t)
	if string(location.LocationConstraint) != region {
		t.Errorf("it is in %q", location.LocationConstraint)
	}
}

func TestObjectTagsBelongToAVersion(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := bucket(t, s, true)
	in := func(tagging string) *s3.PutObjectInput {
		return &s3.PutObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("k"), Body: strings.NewReader("body"), Tagging: aws.String(tagging)}
	}
	first := must(c.PutObject(t.Context(), in("team=shop&stage=a%26b")))(t)
	put(t, c, "k", "two")
	tags := func(version *string) map[string]string {
		out := must(c.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: aws.String("artifacts"), Key: aws.String("k"), VersionId: version}))(t)
		found := map[string]string{}
		for _, tag := range out.TagSet {
			found[*tag.Key] = *tag.Value
		}
		return found
	}
	if got := tags(first.VersionId); len(got) != 2 || got["team"] != "shop" || got["stage"] != "a&b" {
		t.Errorf("the first version's tags are %v", got)
	}
	if got := tags(nil); len(got) != 0 {
		t.Errorf("the second version has tags it was never given: %v", got)
	}
	must(c.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{Bucket: aws.String("artifacts"), Key: aws.String("k"),
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}}}))(t)
	head := must(c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("k")}))(t)
	if got := tags(nil); got["a"] != "1" || aws.ToInt32(head.TagCount) != 1 {
		t.Errorf("tags put later are %v, counted %d", got, aws.ToInt32(head.TagCount))
	}
	must(c.DeleteObjectTagging(t.Context(), &s3.DeleteObjectTaggingInput{Bucket: aws.String("artifacts"), Key: aws.String("k")}))(t)
	if got := tags(nil); len(got) != 0 {
		t.Errorf("deleted tags are %v", got)
	}
	if _, err := c.PutObject(t.Context(), in("a=1&a=2")); codeOf(err) != "InvalidTag" {
		t.Errorf("one key twice: %v", err)
	}
}

func TestASubResourceOfAnObjectIsNotTheObject(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := bucket(t, s, false)
	put(t, c, "k", "body")
	acl := must(c.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{Bucket: aws.String("artifacts"), Key: aws.String("k")}))(t)
	if len(acl.Grants) != 1 || acl.Grants[0].Permission != types.PermissionFullControl {
		t.Errorf("its grants: %v", acl.Grants)
	}
	if _, err := c.GetObjectRetention(t.Context(), &s3.GetObjectRetentionInput{Bucket: aws.String("artifacts"), Key: aws.String("k")}); err == nil {
		t.Error("the object was answered for its retention")
	}
	must(c.DeleteObjectTagging(t.Context(), &s3.DeleteObjectTaggingInput{Bucket: aws.String("artifacts"), Key: aws.String("k")}))(t)
	if got := text(t, c, &s3.GetObjectInput{Key: aws.String("k")}); got != "body" {
		t.Errorf("taking its tags away made the object %q", got)
	}
}

func TestVersionsComeInPages(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := bucket(t, s, true)
	want := 0
	for _, key := range []string{"a", "a", "a", "dir/1", "dir/2", "dir/2", "z"} {
		put(t, c, key, "x")
		want++
	}
	must(c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("a")}))(t)
	for _, size := range []int32{1, 2, 3, 8, 100} {
		seen, markers := map[string]bool{}, 0
		for p := s3.NewListObjectVersionsPaginator(c, &s3.ListObjectVersionsInput{Bucket: aws.String("artifacts"), MaxKeys: &size}); p.HasMorePages(); {
			page := must(p.NextPage(t.Context()))(t)
			if n := len(page.Versions) + len(page.DeleteMarkers); n > int(size) {
				t.Fatalf("a page of %d, asked for %d", n, size)
			}
			for _, v := range page.Versions {
				seen[*v.Key+" "+*v.VersionId] = true
			}
			markers += len(page.DeleteMarkers)
		}
		if len(seen) != want || markers != 1 {
			t.Errorf("by %d: %d versions and %d markers, want %d and 1", size, len(seen), markers, want)
		}
	}
	folded := must(c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("artifacts"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(5)}))(t)
	if len(folded.CommonPrefixes) != 1 || *folded.CommonPrefixes[0].Prefix != "dir/" || !*folded.IsTruncated {
		t.Fatalf("folded: %v, truncated %v", folded.CommonPrefixes, *folded.IsTruncated)
	}
	rest := must(c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("artifacts"), Delimiter: aws.String("/"), KeyMarker: folded.NextKeyMarker}))(t)
	if len(rest.CommonPrefixes) != 0 || len(rest.Versions) != 1 || *rest.Versions[0].Key != "z" {
		t.Errorf("after the fold: %v and %d versions", rest.CommonPrefixes, len(rest.Versions))
	}
}

func TestUploadsAndTheirPartsComeInPages(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := bucket(t, s, false)
	name := aws.String("artifacts")
	ids := map[string]bool{}
	var last *s3.CreateMultipartUploadOutput
	for _, key := range []string{"a", "a", "b", "c", "c"} {
		last = must(c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: name, Key: &key}))(t)
		ids[*last.UploadId] = true
	}
	for _, size := range []int32{1, 2, 10} {
		seen := map[string]bool{}
		for p := s3.NewListMultipartUploadsPaginator(c, &s3.ListMultipartUploadsInput{Bucket: name, MaxUploads: &size}); p.HasMorePages(); {
			for _, u := range must(p.NextPage(t.Context()))(t).Uploads {
				seen[*u.UploadId] = true
			}
		}
		if !maps.Equal(seen, ids) {
			t.Errorf("by %d: %d uploads, want %d", size, len(seen), len(ids))
		}
	}
	for n := range int32(5) {
		must(c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: name, Key: aws.String("c"), UploadId: last.UploadId, PartNumber: aws.Int32(n + 1), Body: strings.NewReader("part")}))(t)
	}
	var numbers []int32
	pages := 0
	for p := s3.NewListPartsPaginator(c, &s3.ListPartsInput{Bucket: name, Key: aws.String("c"), UploadId: last.UploadId, MaxParts: aws.Int32(2)}); p.HasMorePages(); pages++ {
		for _, part := range must(p.NextPage(t.Context()))(t).Parts {
			numbers = append(numbers, *part.PartNumber)
		}
	}
	if !slices.Equal(numbers, []int32{1, 2, 3, 4, 5}) || pages != 3 {
		t.Errorf("parts %v in %d pages", numbers, pages)
	}
}
