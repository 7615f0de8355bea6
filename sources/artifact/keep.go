package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring.dev/sources/manifest"
)

// Keeper puts code where releases can fetch it, named by its digest: below a
// folder, or below a prefix of a bucket. It never overwrites.
type Keeper struct {
	dir            string
	client         *s3.Client
	bucket, prefix string
}

// NewKeeper reads a place: file:DIR, or s3://bucket/prefix, for which client
// is needed.
func NewKeeper(place string, client *s3.Client) (*Keeper, error) {
	if dir, ok := strings.CutPrefix(place, "file:"); ok && dir != "" {
		return &Keeper{dir: dir}, nil
	}
	if rest, ok := strings.CutPrefix(place, "s3://"); ok {
		bucket, prefix, _ := strings.Cut(rest, "/")
		if bucket != "" && client != nil {
			return &Keeper{client: client, bucket: bucket, prefix: strings.Trim(prefix, "/")}, nil
		}
	}
	return nil, fmt.Errorf("keep artifacts in %q: want s3://bucket/prefix or file:DIR", place)
}

// Keep stores the zip at source, which has been held against its digest, and
// names it as a manifest does. What is there already stays: its name is its
// digest, which is held against it whenever it is fetched.
func (k *Keeper) Keep(ctx context.Context, source, digest string) (manifest.Artifact, error) {
	sum, err := parseDigest(digest)
	if err != nil {
		return manifest.Artifact{}, err
	}
	name := sum + ".zip"
	if k.client != nil {
		key := path.Join(k.prefix, name)
		return manifest.Artifact{URI: "s3://" + k.bucket + "/" + key, Digest: digest}, k.upload(ctx, source, key)
	}
	return manifest.Artifact{URI: "file:" + name, Digest: digest}, k.place(source, name)
}

func (k *Keeper) upload(ctx context.Context, source, key string) error {
	file, err := os.Open(source)
	if err != nil {
		return fmt.Errorf("keep artifact: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	_, err = k.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &k.bucket, Key: &key, Body: file, ContentType: aws.String("application/zip"), IfNoneMatch: aws.String("*"),
	})
	var answer interface{ ErrorCode() string }
	switch {
	case err == nil:
	case errors.As(err, &answer) && (answer.ErrorCode() == "PreconditionFailed" || answer.ErrorCode() == "ConditionalRequestConflict"):
	default:
		return fmt.Errorf("keep artifact in s3://%s/%s: %w", k.bucket, key, err)
	}
	return nil
}

// place links or copies the file, whole or not at all.
func (k *Keeper) place(source, name string) error {
	if err := os.MkdirAll(k.dir, 0o755); err != nil {
		return fmt.Errorf("keep artifact: %w", err)
	}
	target := filepath.Join(k.dir, name)
	if _, err := os.Lstat(target); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep artifact: %w", err)
	}
	content, err := os.ReadFile(source)
	if err != nil {
		return fmt.Errorf("keep artifact: %w", err)
	}
	temporary, err := os.CreateTemp(k.dir, ".keep-*")
	if err != nil {
		return fmt.Errorf("keep artifact: %w", err)
	}
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), target)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
		return fmt.Errorf("keep artifact: %w", err)
	}
	return nil
}
