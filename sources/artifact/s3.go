package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// S3 reads objects with a client somebody else configured: the environment's
// own role and region.
type S3 struct{ Client *s3.Client }

// Get opens an object. One that is not there is ErrMissing; other errors are
// the SDK's, wrapped. S3 says AccessDenied for a missing object where the
// bucket may not be listed: ErrDenied.
func (g S3) Get(ctx context.Context, bucket, key, version string) (io.ReadCloser, error) {
	input := &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}
	if version != "" {
		input.VersionId = aws.String(version)
	}
	output, err := g.Client.GetObject(ctx, input)
	if err == nil {
		return output.Body, nil
	}
	return nil, named(err)
}

// named classifies what S3 answered.
func named(err error) error {
	var answer interface{ ErrorCode() string }
	if errors.As(err, &answer) {
		switch answer.ErrorCode() {
		case "NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NotFound":
			return fmt.Errorf("%w: %w", ErrMissing, err)
		case "AccessDenied", "Forbidden":
			return fmt.Errorf("%w: %w", ErrDenied, err)
		}
	}
	return fmt.Errorf("read object: %w", err)
}
