package aws

import (
	"context"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"mooring.dev/providers/aws/rights"
	"mooring.dev/providers/aws/sandbox"
)

// boxed is a provider in front of a sandbox.
type boxed struct {
	*world
	box *sandbox.Sandbox
}

// newBoxed starts a sandbox. Options a test does not set are those of a quick
// one: updates take effect at once, no rates.
func newBoxed(t *testing.T, o sandbox.Options, change ...func(*Options)) *boxed {
	t.Helper()
	box, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := box.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	options := testOptions(t, box.URL())
	for _, c := range change {
		c(&options)
	}
	b := &boxed{world: newWorld(t, options), box: box}
	b.also = box.Advance
	b.hold(t, Grants(rights.Scope{Region: testRegion, Account: testAccount}, AnySettings(), rights.All()))
	return b
}

// as is the configuration of somebody else in the same account.
func (b *boxed) as(accessKey string) awssdk.Config {
	url := b.box.URL()
	return awssdk.Config{
		Region: testRegion, BaseEndpoint: &url,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, "secret", ""),
	}
}

func TestLesson66TheShopIsAsDeclaredOnceItIsDeployed(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	all := b.shop("preview")
	b.converge(all)
	b.inPlace(all)
}
