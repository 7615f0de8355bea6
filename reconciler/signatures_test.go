package reconciler

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers/memory"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// notary knows which commits are signed, by whom it was told.
type notary struct {
	id    string
	known map[string]sources.Signature
}

func (n notary) ID() string { return n.id }

func (n notary) Check(c sources.Commit, _ time.Time) sources.Signature { return n.known[c.SHA] }

// notarised starts a simulation whose last environment takes only signed
// commits; the answer is what the notary knows.
func notarised(t *testing.T, s *simulation, verify string, signs bool) map[string]sources.Signature {
	t.Helper()
	known := map[string]sources.Signature{}
	o := s.options()
	o.Signs = signs
	o.Signers = func(tree fs.FS, spec manifest.Signatures) (sources.Signers, error) {
		text, err := fs.ReadFile(tree, spec.AllowedSigners)
		return notary{string(text), known}, err
	}
	s.repo.commit("main", verifying(verify, "keys", s.names))
	s.startWith(t, o)
	return known
}

func verifying(verify, keys string, names []string) map[string]string {
	files := controlFiles("allow", names...)
	last := "    - name: " + names[len(names)-1] + "\n"
	text := strings.Replace(files["mooring.yaml"], last, last+"      verify: "+verify+"\n", 1)
	files["mooring.yaml"] = strings.Replace(text, "spec:\n", "spec:\n  signatures: {allowedSigners: keys/allowed}\n", 1)
	files["keys/allowed"] = keys
	return files
}

var goodSignature = sources.Signature{Status: "valid", Kind: "ssh", KeyID: "SHA256:anna", Signer: "anna"}

// TestVerifyIsAFloor: whatever policy says, what is not signed does not come
// in; a range looks behind the head as well.
func TestVerifyIsAFloor(t *testing.T) {
	for verify, lets := range map[string]bool{"none": true, "head": true, "range": false} {
		s := newSimulation(1, memory.Options{}, mutant{}, "production")
		known := notarised(t, s, verify, false)
		known[s.repo.commit("env/production", firstContent().files())] = goodSignature
		settled(t, s)
		k := firstContent()
		k.checkout = code(9)
		between := s.repo.commit("env/production", k.files())
		k.memory = 512
		head := s.repo.commit("env/production", k.files())
		known[head] = goodSignature
		calls := s.mutations()
		s.run(time.Minute)
		st := s.watch.environment("production")
		if (st.Judged.Outcome == "allow") != lets || (s.mutations() > calls) != lets {
			t.Errorf("verify %s: judged %+v", verify, st.Judged)
		}
		if lets {
			continue
		}
		if f := st.Judged.Findings; st.Judged.Outcome != "deny" || len(f) != 1 || f[0].Code != codeSignature || !strings.Contains(f[0].Msg, short(between)) || strings.Contains(f[0].Msg, short(head)) {
			t.Errorf("it does not name the commit: %+v", st.Judged)
		}
		// Its signature was good all along: the keys did not say so.
		known[between] = goodSignature
		s.run(time.Minute)
		if s.watch.environment("production").Judged.Outcome == "allow" {
			t.Error("judged anew for nothing")
		}
		s.repo.commit("main", verifying(verify, "more keys", s.names))
		settled(t, s)
		if got := s.watch.environment("production").Admitted.Release.Commit; got != head {
			t.Errorf("%s is admitted, want %s", got, head)
		}
		sound(t, s)
	}
}

// TestHeadMustBeSigned: nothing unsigned comes in as the very first either, and
// the reason names the key where there is one.
func TestHeadMustBeSigned(t *testing.T) {
	for _, verify := range []string{"head", "range"} {
		for want, signature := range map[string]sources.Signature{
			"not signed":      {},
			"SHA256:eve":      {Status: "unknown_key", Kind: "ssh", KeyID: "SHA256:eve", Why: "the key is not among the allowed signers"},
			"is unchecked":    {Status: "unchecked", Kind: "pgp"},
			"not of this one": {Status: "invalid", Kind: "ssh", Why: "not of this one"},
		} {
			s := newSimulation(1, memory.Options{}, mutant{}, "production")
			known := notarised(t, s, verify, false)
			known[s.repo.commit("env/production", firstContent().files())] = signature
			s.run(time.Minute)
			st := s.watch.environment("production")
			if st.Admitted != nil || st.Judged == nil || !strings.Contains(st.Judged.Reason, want) || s.mutations() != 0 {
				t.Errorf("%s, %+v: judged %+v", verify, signature, st.Judged)
			}
		}
	}
}

// TestUnsignedContentIsNotMoved: content that would be refused where it comes
// to is not brought there, and goes on when it is signed by somebody known.
func TestUnsignedContentIsNotMoved(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview", "production")
	known := notarised(t, s, "head", false)
	first := s.repo.commit("env/preview", firstContent().files())
	s.run(5 * time.Minute)
	st := s.watch.environment("production")
	if s.repo.branches["env/production"] != "" || len(st.Promotions) == 0 || st.Promotions[len(st.Promotions)-1].Findings[0].Code != codeSignature {
		t.Fatalf("promotions %+v, branch %q", st.Promotions, s.repo.branches["env/production"])
	}
	known[first] = goodSignature
	settled(t, s)
	sound(t, s)
}

// TestMoveThatNobodyWouldSign: two branches without a common history. The move
// makes a commit; without a key of Mooring's it would be refused, and with one
// it goes on.
func TestMoveThatNobodyWouldSign(t *testing.T) {
	for _, signs := range []bool{false, true} {
		s := newSimulation(1, memory.Options{}, mutant{}, "preview", "production")
		known := notarised(t, s, "range", signs)
		known[s.repo.commit("env/preview", firstContent().files())] = goodSignature
		own := s.repo.commit("env/production", firstContent().files())
		known[own] = goodSignature
		settled(t, s)
		k := firstContent()
		k.checkout = code(9)
		known[s.repo.commit("env/preview", k.files())] = goodSignature
		s.repo.moved = func(e sources.Edit, sha string) {
			s.watch.moved(e, sha)
			known[sha] = goodSignature
		}
		s.run(15 * time.Minute)
		st := s.watch.environment("production")
		last, moved := st.Promotions[len(st.Promotions)-1], s.repo.branches["env/production"] != own
		if moved != signs || !signs && !strings.Contains(last.Reason, "--signing-key") || signs && st.Admitted.Release.Commit != s.repo.branches["env/production"] {
			t.Errorf("signs %v: %+v, judged %+v", signs, last, st.Judged)
		}
	}
}

// TestPolicyIsToldWhoSigned: of the head and of each commit behind it, and of
// the control branch's own commits by the keys before them.
func TestPolicyIsToldWhoSigned(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "production")
	known := notarised(t, s, "none", false)
	known[s.repo.commit("env/production", firstContent().files())] = goodSignature
	settled(t, s)
	k := firstContent()
	k.checkout = code(9)
	unsigned := s.repo.commit("env/production", k.files())
	k.memory = 512
	known[s.repo.commit("env/production", k.files())] = goodSignature
	asked := map[string]policy.Signature{}
	w := s.d.world.Load()
	in := policy.Input{Commit: w.commitInput(s.repo.commits[s.repo.branches["env/production"]].Commit)}
	w.addCommits(&in, lineage{commits: []sources.Commit{s.repo.commits[s.repo.branches["env/production"]].Commit, s.repo.commits[unsigned].Commit}})
	for _, c := range in.Commits {
		asked[c.SHA] = c.Signature
	}
	if want := (policy.Signature{Status: "valid", Kind: "ssh", KeyID: "SHA256:anna", Signer: "anna"}); in.Commit.Signature != want || asked[in.Commit.SHA] != want || asked[unsigned].Status != "" {
		t.Errorf("%+v, %+v", in.Commit.Signature, asked)
	}
	// Keys do not vouch for the commit that brings them.
	next := &world{at: w.at, signers: notary{"new", map[string]sources.Signature{"c": goodSignature}}}
	if got := next.judges(w).signature(sources.Commit{SHA: "c"}); got.Status == "valid" {
		t.Error("a commit of the control branch brought its own key")
	}
	if got := next.judges(nil).signature(sources.Commit{SHA: "c"}); got.Status != "valid" {
		t.Errorf("the first commit: %+v", got)
	}
	if got := (&world{}).signature(sources.Commit{Signature: sources.Signature{Status: "unchecked", Kind: "ssh"}}); got.Status != "unchecked" {
		t.Errorf("with no keys configured: %+v", got)
	}
}
