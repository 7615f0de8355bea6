package git

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mooring.dev/sources/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// follow opens a repository that the test closes.
func follow(t testing.TB, options Options) *Repository {
	t.Helper()
	if options.Dir == "" {
		options.Dir = filepath.Join(t.TempDir(), "store")
	}
	if options.Poll == 0 {
		options.Poll = time.Hour // a test that waits for a poll should fail
	}
	r, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// fixture lets a contract test change a repository behind a source.
func fixture(r *Repository, g *sourcetest.Git) sourcetest.Fixture {
	return sourcetest.Fixture{
		Source: r,
		Commit: func(branch string, files map[string]string) string {
			return g.Commit(sourcetest.Change{Branch: branch, Files: files})
		},
		Rewrite: func(branch string, files map[string]string) string {
			return g.Commit(sourcetest.Change{Branch: branch, Files: files, Root: true})
		},
		Merge: func(branch, other string) string {
			return g.Commit(sourcetest.Change{Branch: branch, Merge: other, Files: map[string]string{"merged": "yes"}})
		},
		Delete: g.Delete,
		Forget: g.Forget,
	}
}

func TestContractBare(t *testing.T)    { testContractLocal(t, true) }
func TestContractNonBare(t *testing.T) { testContractLocal(t, false) }

func testContractLocal(t *testing.T, bare bool) {
	t.Parallel()
	sourcetest.Run(t, func(t *testing.T) sourcetest.Fixture {
		g := sourcetest.NewGit(t, bare)
		f := fixture(follow(t, Options{URL: g.Dir}), g)
		f.Prompt = true
		f.Break = func() func() {
			away := g.Dir + ".away"
			if err := os.Rename(g.Dir, away); err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := os.Rename(away, g.Dir); err != nil {
					t.Fatal(err)
				}
			}
		}
		return f
	})
}

func TestContractHTTP(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, func(t *testing.T) sourcetest.Fixture {
		g := sourcetest.NewGit(t, true)
		server := sourcetest.Serve(t, g, false)
		server.Protect(canary) // reading and pushing
		f := fixture(follow(t, Options{URL: server.Repository, Token: func() (string, error) { return canary, nil }}), g)
		f.Break = func() func() {
			server.Break(func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(http.StatusInternalServerError)
				return true
			})
			return func() { server.Break(nil) }
		}
		return f
	})
}
