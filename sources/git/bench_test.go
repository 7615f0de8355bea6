package git

import (
	"fmt"
	"io/fs"
	"testing"

	"mooring.dev/sources"
	"mooring.dev/sources/sourcetest"
)

// tenThousand is a repository of 10,000 manifests in 100 folders.
func tenThousand(b *testing.B) *sourcetest.Git {
	g := sourcetest.NewGit(b, true)
	all := files{}
	for i := range 10_000 {
		all[fmt.Sprintf("team%02d/f%04d.yaml", i%100, i)] = fmt.Sprintf("kind: Function\nmetadata: {name: f%d}\n", i)
	}
	g.Commit(sourcetest.Change{Branch: "main", Files: all})
	g.Run(nil, "gc", "--quiet")
	return g
}

// walk looks at every file the way a loader does that has seen them before.
func walk(b *testing.B, s sources.Snapshot) (n int) {
	err := fs.WalkDir(s.Tree, ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if _, named := info.Sys().(sources.ContentID); named {
			n++
		}
		return err
	})
	if err != nil || n < 10_000 {
		b.Fatalf("walked %d files, %v", n, err)
	}
	return n
}

func BenchmarkFetchOneCommitOf10000Files(b *testing.B) {
	for _, far := range []bool{false, true} {
		b.Run(map[bool]string{false: "local", true: "http"}[far], func(b *testing.B) {
			g := tenThousand(b)
			url := g.Dir
			if far {
				url = sourcetest.Serve(b, g, false).Repository
			}
			r := follow(b, Options{URL: url})
			walk(b, fetchIn(b, r))
			n := 0
			for b.Loop() {
				b.StopTimer()
				n++
				g.Commit(sourcetest.Change{Branch: "main", Files: files{"team42/f0042.yaml": fmt.Sprint(n)}})
				b.StartTimer()
				fetchIn(b, r)
			}
		})
	}
}

func BenchmarkFetchNothingNew(b *testing.B) {
	r := follow(b, Options{URL: tenThousand(b).Dir})
	fetchIn(b, r)
	for b.Loop() {
		fetchIn(b, r)
	}
}

func BenchmarkFirstFetchOf10000Files(b *testing.B) {
	g := tenThousand(b)
	for b.Loop() {
		fetchIn(b, follow(b, Options{URL: g.Dir, Dir: b.TempDir()}))
	}
}

func BenchmarkWalkAfterOneChange(b *testing.B) {
	g := tenThousand(b)
	r := follow(b, Options{URL: g.Dir})
	walk(b, fetchIn(b, r))
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		g.Commit(sourcetest.Change{Branch: "main", Files: files{"team42/f0042.yaml": fmt.Sprint(n)}})
		s := fetchIn(b, r)
		b.StartTimer()
		walk(b, s)
	}
}

func fetchIn(b *testing.B, r *Repository) sources.Snapshot {
	b.Helper()
	got, err := r.Fetch(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return got["main"]
}
