package aws

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mooring.dev/sources/manifest"
)

// signers is an STS that writes down whose key each call is signed with, and
// refuses some.
type signers struct {
	*httptest.Server
	mu     sync.Mutex
	seen   []string // "GetCallerIdentity AKIA…", "AssumeRoleWithWebIdentity token"
	refuse map[string]string
}

var signedBy = regexp.MustCompile(`Credential=([^/]+)/`)

func newSigners(t *testing.T) *signers {
	t.Helper()
	s := &signers{refuse: map[string]string{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *signers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = r.ParseForm() // an empty action is refused below
	action, who := r.Form.Get("Action"), r.Form.Get("WebIdentityToken")
	if m := signedBy.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		who = m[1]
	}
	s.seen = append(s.seen, action+" "+who)
	if code := s.refuse[who]; code != "" {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>", code)
		return
	}
	if action == "GetCallerIdentity" {
		fmt.Fprintf(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111111111111:user/%s</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>", who)
		return
	}
	fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult><Credentials><AccessKeyId>role-of-%[2]s</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%[3]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>",
		action, who, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

// since is what was asked from the nth call on.
func (s *signers) since(n int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.seen[n:]...)
}

func (s *signers) refuses(who, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse[who] = code
}

// holder is an environment's credentials, from files alone.
type holder struct {
	t      *testing.T
	file   string
	aws    *signers
	client *sts.Client
	cfg    awssdk.Config
	told   []string
	now    time.Time
}

func newHolder(t *testing.T, target manifest.AWSTarget) *holder {
	t.Helper()
	plainEnvironment(t, "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	h := &holder{t: t, file: filepath.Join(t.TempDir(), "credentials"), aws: newSigners(t), now: time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", h.file)
	h.keys("first")
	h.open(target)
	return h
}

func (h *holder) open(target manifest.AWSTarget) {
	h.t.Helper()
	target.Region, target.Endpoint = testRegion, h.aws.URL
	var err error
	h.cfg, err = Load(h.t.Context(), LoadOptions{Target: target, Notice: func(err error) { h.told = append(h.told, err.Error()) }, Now: func() time.Time { return h.now }})
	if err != nil {
		h.t.Fatal(err)
	}
	h.client = sts.NewFromConfig(h.cfg)
}

// keys replaces the file in one step, as a tool does.
func (h *holder) keys(id string) {
	h.t.Helper()
	h.write("[default]\naws_access_key_id = " + id + "\naws_secret_access_key = canary-" + id + "\n")
}

func (h *holder) write(text string) {
	h.t.Helper()
	if err := os.WriteFile(h.file+".new", []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Rename(h.file+".new", h.file); err != nil {
		h.t.Fatal(err)
	}
}

// calls makes one call and wants it signed by somebody.
func (h *holder) calls(want string) {
	h.t.Helper()
	out, err := h.client.GetCallerIdentity(h.t.Context(), &sts.GetCallerIdentityInput{})
	switch {
	case want == "" && err == nil:
		h.t.Errorf("%s was let in", *out.Arn)
	case want != "" && err != nil:
		h.t.Errorf("want %s: %v", want, err)
	case want != "" && !strings.HasSuffix(*out.Arn, "/"+want):
		h.t.Errorf("signed as %s, want %s", *out.Arn, want)
	}
}

// A shared credentials file that is replaced counts at the next call; one that
// cannot be used leaves the keys before, and is told once.
func TestCredentialsFileIsReplaced(t *testing.T) {
	h := newHolder(t, manifest.AWSTarget{})
	h.calls("first")
	h.keys("second")
	h.calls("second")
	h.write("[default]\naws_access_key_id = half") // no secret yet
	h.calls("second")
	h.calls("second")
	if len(h.told) != 1 || strings.Contains(h.told[0], "canary") {
		t.Errorf("told %q", h.told)
	}
	h.now = h.now.Add(lookEvery) // it is looked at again, and nothing new is told
	h.calls("second")
	if len(h.told) != 1 {
		t.Errorf("told %q", h.told)
	}
	h.keys("third")
	h.calls("third")
	changed, err := h.cfg.Credentials.(*Credentials).Renew(t.Context())
	if changed || err != nil {
		t.Errorf("nothing was replaced: changed %v, %v", changed, err)
	}
}

// Of a role taken on with replaced keys too; and with a token file, which AWS
// shows to STS.
func TestRolesAreTakenOnWithWhatIsThere(t *testing.T) {
	h := newHolder(t, manifest.AWSTarget{RoleArn: "arn:aws:iam::111111111111:role/deploy"})
	h.calls("role-of-first")
	h.keys("second")
	h.calls("role-of-second")
	h.calls("role-of-second")
	token := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("web-one")
	t.Setenv("AWS_ENDPOINT_URL_STS", h.aws.URL) // STS is asked by the SDK itself
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token)
	t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::111111111111:role/pod")
	h.open(manifest.AWSTarget{})
	h.calls("role-of-web-one")
	write("web-second") // another length, whatever the clock of the file system
	h.calls("role-of-web-second")
}

// Keys that AWS takes no more are looked for anew, once: where there are
// others the same call goes on with them, and where there are none AWS is not
// asked again and again.
func TestKeysThatAreRefused(t *testing.T) {
	for _, code := range []string{"ExpiredToken", "InvalidClientTokenId"} {
		t.Run(code, func(t *testing.T) {
			h := newHolder(t, manifest.AWSTarget{RoleArn: "arn:aws:iam::111111111111:role/deploy"})
			h.calls("role-of-first")
			h.aws.refuses("role-of-first", code)
			before := len(h.aws.since(0))
			for range 5 {
				h.calls("") // the role's keys stay the same, whatever one asks for
			}
			asked := strings.Join(h.aws.since(before), "\n")
			if n := strings.Count(asked, "AssumeRole first"); n != 1 {
				t.Errorf("the role was taken on %d times:\n%s", n, asked)
			}
			if n := strings.Count(asked, "GetCallerIdentity"); n != 5 {
				t.Errorf("five calls were %d:\n%s", n, asked)
			}
			h.now = h.now.Add(lookEvery)
			h.calls("")
			if n := strings.Count(strings.Join(h.aws.since(before), "\n"), "AssumeRole first"); n != 2 {
				t.Errorf("later the role was taken on %d times", n)
			}
		})
	}
}

// hasMore gives other keys each time it is asked.
type hasMore struct{ given int }

func (m *hasMore) keys() awssdk.CredentialsProvider {
	m.given++
	id := fmt.Sprintf("key%d", m.given)
	return awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
		return awssdk.Credentials{AccessKeyID: id, SecretAccessKey: "s"}, nil
	})
}

// A call whose keys were refused goes on with those found since.
func TestACallGoesOnWithBetterKeys(t *testing.T) {
	h := newHolder(t, manifest.AWSTarget{})
	more := &hasMore{}
	c := h.cfg.Credentials.(*Credentials)
	c.current = more.keys()
	c.find = func(context.Context) (awssdk.CredentialsProvider, error) { return more.keys(), nil }
	h.calls("key1")
	h.aws.refuses("key1", "ExpiredToken")
	h.calls("key2")
	h.aws.refuses("key2", "ExpiredToken")
	h.calls("") // too soon after the last
	h.now = h.now.Add(lookEvery)
	h.calls("key3")
	if more.given != 3 {
		t.Errorf("looked %d times", more.given)
	}
	h.aws.refuses("key3", "AccessDenied") // what is no matter of keys
	h.now = h.now.Add(lookEvery)
	h.calls("")
	if more.given != 3 {
		t.Error("a refusal of rights made it look for keys")
	}
}
