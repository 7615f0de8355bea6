package evidence

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

const code = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// signers are one of each kind of key that is known.
func signers(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]crypto.Signer{"ed25519": ed}
	for name, curve := range map[string]elliptic.Curve{"p256": elliptic.P256(), "p384": elliptic.P384()} {
		if out[name], err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func public(t testing.TB, s crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(s.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func key(t testing.TB, name string, s crypto.Signer) Key {
	t.Helper()
	k, err := ParseKey(name, public(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sealed is an envelope over a payload as DSSE says, made without the library
// that reads it.
func sealed(t testing.TB, s crypto.Signer, payloadType, payload, keyID string) []byte {
	t.Helper()
	pae := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
	var sig []byte
	var err error
	switch public := s.Public().(type) {
	case ed25519.PublicKey:
		sig, err = s.Sign(rand.Reader, pae, crypto.Hash(0))
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P384() {
			sum := sha512.Sum384(pae)
			sig, err = s.Sign(rand.Reader, sum[:], crypto.SHA384)
			break
		}
		sum := sha256.Sum256(pae)
		sig, err = s.Sign(rand.Reader, sum[:], crypto.SHA256)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(map[string]any{"payloadType": payloadType, "payload": base64.StdEncoding.EncodeToString([]byte(payload)),
		"signatures": []map[string]string{{"keyid": keyID, "sig": base64.StdEncoding.EncodeToString(sig)}}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func stated(predicateType, predicate string) string {
	return fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"checkout.zip","digest":{"sha256":%q,"md5":"x"}}],"predicateType":%q,"predicate":%s}`,
		strings.TrimPrefix(code, "sha256:"), predicateType, predicate)
}

const unitPassed = `{"result":"PASSED","configuration":[{"name":"unit","uri":"https://ci.example/1"}],"passedTests":["a"]}`

func TestStatementsOfKnownKeys(t *testing.T) {
	all := signers(t)
	var keys []Key
	for name, s := range all {
		keys = append(keys, key(t, name, s))
	}
	for name, s := range all {
		// A key id is a hint that nobody signed: it may be anything.
		for _, id := range []string{"", "SHA256:something", "ci"} {
			got := Read(t.Context(), "f.json", sealed(t, s, PayloadType, stated(testResultV01, unitPassed), id), keys)
			if len(got) != 1 || !got[0].Verified || got[0].Signer != name || got[0].Kind != sources.TestResult || got[0].Name != "unit" || !got[0].Passed || !got[0].About(code) || len(got[0].Subjects) != 1 {
				t.Errorf("%s, key id %q: %+v", name, id, got)
			}
		}
	}
	slsa := Read(t.Context(), "f.json", sealed(t, all["p256"], PayloadType,
		stated(slsaV1, `{"runDetails":{"builder":{"id":"https://ci.example/builder"},"metadata":{"finishedOn":"2026-05-04T12:00:00Z"}}}`), ""), keys)
	if s := slsa[0]; !s.Verified || s.Kind != sources.Provenance || s.Name != "https://ci.example/builder" || !s.Time.Equal(time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", s)
	}
	other := Read(t.Context(), "f.json", sealed(t, all["p256"], PayloadType, stated("https://example.com/review", `null`), ""), keys)
	if slsa[0].Passed || other[0].Passed {
		t.Error("what is no test has passed")
	}
	if s := other[0]; !s.Verified || s.Kind != sources.Attestation || s.PredicateType != "https://example.com/review" {
		t.Errorf("%+v", s)
	}
}

// Provenance v0.2 comes in the statement of its time, as builders write it; so
// may every other predicate.
func TestOlderStatements(t *testing.T) {
	s := signers(t)["p256"]
	older := func(predicateType, predicate string) sources.Statement {
		text := strings.Replace(stated(predicateType, predicate), "Statement/v1", "Statement/v0.1", 1)
		return Read(t.Context(), "f.json", sealed(t, s, PayloadType, text, ""), []Key{key(t, "ci", s)})[0]
	}
	built := older(slsaV02, `{"builder":{"id":"https://ci.example/builder"},"buildType":"https://mobyproject.org/buildkit@v1","metadata":{"buildFinishedOn":"2026-05-04T12:00:00Z"},"materials":[]}`)
	if !built.Verified || built.Kind != sources.Provenance || built.Name != "https://ci.example/builder" || !built.About(code) || !built.Time.Equal(time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", built)
	}
	if tested := older(testResultV01, unitPassed); !tested.Verified || !tested.Passed || tested.Name != "unit" || !tested.About(code) {
		t.Errorf("%+v", tested)
	}
}

// Only PASSED has passed.
func TestOnlyPassedHasPassed(t *testing.T) {
	s := signers(t)["ed25519"]
	for _, result := range []string{`"FAILED"`, `"WARNED"`, `"passed"`, `""`, `null`, `"PASSED "`} {
		got := Read(t.Context(), "f", sealed(t, s, PayloadType, stated(testResultV01, `{"result":`+result+`}`), ""), []Key{key(t, "ci", s)})
		if got[0].Passed || !got[0].Verified {
			t.Errorf("%s: %+v", result, got[0])
		}
	}
}

// What proves nothing says why, and claims nothing.
func TestWhatProvesNothing(t *testing.T) {
	all := signers(t)
	ours, stranger := all["p256"], all["ed25519"]
	good := sealed(t, ours, PayloadType, stated(testResultV01, unitPassed), "")
	swap := func(from, to string) []byte {
		var e map[string]any
		if err := json.Unmarshal(good, &e); err != nil {
			t.Fatal(err)
		}
		e[from] = to
		out, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"a stranger's":      {sealed(t, stranger, PayloadType, stated(testResultV01, unitPassed), ""), "none of the known keys"},
		"another payload":   {swap("payload", base64.StdEncoding.EncodeToString([]byte(stated(testResultV01, `{"result":"PASSED"}`)))), "none of the known keys"},
		"another type":      {swap("payloadType", "text/plain"), "payload type"},
		"an unsigned one":   {[]byte(`{"payloadType":"` + PayloadType + `","payload":"e30=","signatures":[]}`), "nobody signed"},
		"no envelope":       {[]byte(`[1,2]`), "no DSSE envelope"},
		"nothing":           {nil, "no DSSE envelope"},
		"too much":          {bytes.Repeat([]byte(" {"), MaxEnvelope), "over 256 KiB"},
		"no base64":         {swap("payload", "%%%"), "none of the known keys"},
		"no statement":      {sealed(t, ours, PayloadType, `"x"`, ""), "no in-toto statement"},
		"another statement": {sealed(t, ours, PayloadType, strings.Replace(stated(testResultV01, unitPassed), "Statement/v1", "Statement/v0.2", 1), ""), "statement type"},
		"about nothing":     {sealed(t, ours, PayloadType, `{"_type":"https://in-toto.io/Statement/v1","predicateType":"x"}`, ""), "about nothing"},
		"no digest we know": {sealed(t, ours, PayloadType, `{"_type":"https://in-toto.io/Statement/v1","predicateType":"x","subject":[{"digest":{"md5":"00","sha256":"short"}}]}`, ""), "no subject"},
		"a wrong predicate": {sealed(t, ours, PayloadType, stated(testResultV01, `[1]`), ""), "no test result"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Read(t.Context(), "f.json", c.data, []Key{key(t, "ci", ours)})
			s := got[0]
			if s.Verified || !strings.Contains(s.Why, c.says) || s.Passed || len(s.Subjects) > 0 || s.Kind != "" {
				t.Errorf("%+v", s)
			}
		})
	}
	if got := Read(t.Context(), "f", good, nil); got[0].Verified || !strings.Contains(got[0].Why, "no key is known") {
		t.Errorf("without keys: %+v", got[0])
	}
}

func TestEnvelopesOfAFile(t *testing.T) {
	s := signers(t)["ed25519"]
	one := sealed(t, s, PayloadType, stated(testResultV01, unitPassed), "")
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, one, "", "  "); err != nil {
		t.Fatal(err)
	}
	keys := []Key{key(t, "ci", s)}
	if got := Read(t.Context(), "f.json", pretty.Bytes(), keys); len(got) != 1 || !got[0].Verified {
		t.Errorf("over several lines: %+v", got)
	}
	got := Read(t.Context(), "f.jsonl", slices.Concat(one, []byte("\n\nbroken\n"), one, []byte("\r\n")), keys)
	if len(got) != 3 || !got[0].Verified || got[1].Verified || !got[2].Verified || got[1].Source != "f.jsonl:2" {
		t.Errorf("lines: %+v", got)
	}
	if got := Read(t.Context(), "f.jsonl", bytes.Repeat([]byte("x\n"), 10*MaxEnvelopes), keys); len(got) != MaxEnvelopes+1 {
		t.Errorf("%d statements of very many", len(got))
	}
}

func TestKeys(t *testing.T) {
	weak, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := public(t, signers(t)["ed25519"])
	for name, text := range map[string][]byte{"nothing": nil, "no PEM": []byte("ssh-ed25519 AAAA"), "a certificate": []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		"broken": []byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), "P-224": public(t, weak), "RSA": public(t, other), "two": slices.Concat(good, good)} {
		if _, err := ParseKey("ci", text); err == nil {
			t.Errorf("%s is taken for a key", name)
		}
	}
	tree := fstest.MapFS{"keys/ci.pub": {Data: good}, "keys/huge": {Data: make([]byte, maxKey+1)}}
	if _, err := NewVerifier(tree, manifest.Evidence{Keys: []manifest.EvidenceKey{{Name: "ci", File: "keys/ci.pub"}, {Name: "in", PublicKey: string(good)}}}); err != nil {
		t.Error(err)
	}
	_, err = NewVerifier(tree, manifest.Evidence{Keys: []manifest.EvidenceKey{{Name: "gone", File: "keys/gone"}, {Name: "huge", File: "keys/huge"}, {Name: "none", PublicKey: "x"}}})
	for _, name := range []string{"gone", "huge", "none"} {
		if err == nil || !strings.Contains(err.Error(), "evidence key "+name) {
			t.Errorf("%s is not told: %v", name, err)
		}
	}
}

// Nothing that is not signed by a known key is ever verified, whatever comes.
func FuzzRead(f *testing.F) {
	s := signers(f)["ed25519"]
	stranger := signers(f)["p256"]
	f.Add(sealed(f, stranger, PayloadType, stated(testResultV01, unitPassed), ""))
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30","signatures":[{"sig":""}]}`))
	f.Add([]byte("{}\n[]\n"))
	keys := []Key{key(f, "ci", s)}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, got := range Read(t.Context(), "f", data, keys) {
			if got.Verified || got.Passed || got.Why == "" {
				t.Errorf("%+v", got)
			}
		}
	})
}
