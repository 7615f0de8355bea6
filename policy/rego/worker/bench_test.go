package worker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"mooring.dev/policy"
)

func shopPolicies(b *testing.B) *Policies {
	b.Helper()
	p, err := newPool(b, Options{}).Load(context.Background(), os.DirFS(filepath.Join("..", "..", "..", "testdata", "shop", "control")), "r1")
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// The whole way: written, sent, decided, recorded, and back.
func BenchmarkAdmission1000ChangesByWorker(b *testing.B) {
	p, in := shopPolicies(b), question("production")
	for i := range 999 {
		c := in.Changes[0]
		c.Resource = fmt.Sprintf("Function/f%04d", i)
		in.Changes = append(in.Changes, c)
	}
	b.ReportAllocs() // of this process
	for b.Loop() {
		if d, err := p.Evaluate(context.Background(), policy.Admission, in); err != nil {
			b.Fatal(d.Outcome, err)
		}
	}
}

func BenchmarkPromotionByWorker(b *testing.B) {
	p, in := shopPolicies(b), question("production")
	in.PromotionFacts = &policy.PromotionFacts{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Evaluate(context.Background(), policy.Promotion, in); err != nil {
			b.Fatal(err)
		}
	}
}

// Only the pipes: what the frames of a large decision cost.
func BenchmarkTransport(b *testing.B) {
	doc := make([]byte, 1<<20)
	b.SetBytes(2 << 20)
	for b.Loop() {
		r, w, err := os.Pipe()
		if err != nil {
			b.Fatal(err)
		}
		sent := make(chan error)
		go func() { sent <- write(w, request{Decide: &decideRequest{Point: policy.Admission}}, doc) }()
		var got request
		if body, err := read(r, &got); err != nil || len(body) != len(doc) {
			b.Fatal(len(body), err)
		}
		if err := <-sent; err != nil {
			b.Fatal(err)
		}
		r.Close()
		w.Close()
	}
}

// What the first decision after a loss pays: a new worker with the policies
// loaded, their tests left out.
func BenchmarkStart(b *testing.B) {
	p := shopPolicies(b)
	for b.Loop() {
		proc, _, err := p.pool.load(context.Background(), p, true)
		if err != nil {
			b.Fatal(err)
		}
		proc.end()
	}
}
