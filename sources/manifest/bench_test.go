package manifest

import (
	"fmt"
	"testing"
	"testing/fstest"
)

// bigTree is a repository of n manifests: a queue for every four functions.
func bigTree(n int) fstest.MapFS {
	tree := fstest.MapFS{}
	for i := range n {
		name := fmt.Sprintf("m%05d", i)
		tree[fmt.Sprintf("team%d/%s.yaml", i%100, name)] = bigFile(name, i, 512)
	}
	return tree
}

func bigFile(name string, i, memory int) *fstest.MapFile {
	text := fmt.Sprintf("apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: %s}\nspec: {visibilityTimeout: 60}\n", name)
	if i%5 != 0 {
		text = fmt.Sprintf(`apiVersion: mooring.dev/v1
kind: Function
metadata: {name: %s, labels: {team: t%d}}
spec:
  artifact: {uri: "s3://shop-artifacts/%s.zip", digest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
  runtime: provided.al2023
  handler: bootstrap
  memorySize: %d
  timeout: 10
  environment:
    LOG_LEVEL: info
    QUEUE_URL: {ref: Queue/m%05d, attribute: url}
  role:
    statements: [{Effect: Allow, Action: [sqs:SendMessage], Resource: {ref: Queue/m%05d}}]
  triggers:
    main: {queue: Queue/m%05d}
`, name, i%10, name, memory, i-i%5, i-i%5, i-i%5)
	}
	f := &fstest.MapFile{Data: []byte(text)}
	f.Sys = contentID(fmt.Sprintf("%s-%d", name, memory))
	return f
}

func loadBig(b *testing.B, n int) (*Loader, fstest.MapFS, *Documents) {
	tree := bigTree(n)
	loader := new(Loader)
	docs, err := loader.Load(tree, LoadOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return loader, tree, docs
}

// BenchmarkLoadAndRender10k reads and renders 10,000 manifests, anew.
func BenchmarkLoadAndRender10k(b *testing.B) {
	tree, p := newFlat(bigTree(10_000)), testPipeline("preview")
	b.ReportAllocs()
	for b.Loop() {
		docs, err := new(Loader).Load(tree, LoadOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if r := mustRender(b, docs, p, "preview"); len(r.Resources) < 10_000 {
			b.Fatal(len(r.Resources))
		}
	}
}

// BenchmarkReloadOneOf10k is what one changed file of 10,000 costs, from a
// tree to a release.
func BenchmarkReloadOneOf10k(b *testing.B) {
	loader, tree, docs := loadBig(b, 10_000)
	p := testPipeline("preview")
	last := mustRender(b, docs, p, "preview").Digest
	b.ReportAllocs()
	memory := 512
	for b.Loop() {
		b.StopTimer()
		memory++
		tree["team1/m00001.yaml"] = bigFile("m00001", 1, 512+memory%9000)
		flat := newFlat(tree)
		b.StartTimer()
		docs, err := loader.Load(flat, LoadOptions{})
		if err != nil {
			b.Fatal(err)
		}
		r := mustRender(b, docs, p, "preview")
		if r.Digest == last {
			b.Fatal("the change was not seen")
		}
		last = r.Digest
	}
}

// BenchmarkRenderAgain10k renders what did not change at all.
func BenchmarkRenderAgain10k(b *testing.B) {
	_, _, docs := loadBig(b, 10_000)
	p := testPipeline("preview")
	mustRender(b, docs, p, "preview")
	b.ReportAllocs()
	for b.Loop() {
		mustRender(b, docs, p, "preview")
	}
}

// BenchmarkNormal10k is the normal form of 10,000 resources.
func BenchmarkNormal10k(b *testing.B) {
	_, _, docs := loadBig(b, 2_500)
	release := mustRender(b, docs, testPipeline("preview"), "preview")
	resources := release.Resources
	for len(resources) < 10_000 {
		resources = append(resources, release.Resources...)
	}
	resources = resources[:10_000]
	b.ReportAllocs()
	for b.Loop() {
		for _, res := range resources {
			if digest(Normal(res)) != res.Digest {
				b.Fatal(res.Ref)
			}
		}
	}
}
