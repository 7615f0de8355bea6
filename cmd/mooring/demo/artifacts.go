package demo

import "context"

// Artifacts compiles every build of the shop's functions into dir/artifacts
// and returns their digests by name: checkout-1.1 is in checkout-1.1.zip. It
// wants an empty folder and Go on PATH.
func Artifacts(ctx context.Context, dir string) (map[string]string, error) {
	builds, err := build(ctx, dir)
	if err != nil {
		return nil, err
	}
	digests := make(map[string]string, len(builds))
	for name, b := range builds {
		digests[name] = b.digest
	}
	return digests, nil
}
