package demo

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"mooring.dev/testdata"
)

// built is one build of one function, packed for Lambda.
type built struct {
	file   string // name below the artifacts folder
	digest string // sha256:…
}

// recipes are the builds the story needs. A bad one loses a tenth of its
// orders.
var recipes = []struct{ function, version, failing string }{
	{"checkout", "1.0", "0"}, {"checkout", "1.1", "0"}, {"checkout", "1.2-bad", "10"}, {"checkout", "1.3", "0"}, {"checkout", "1.4", "0"},
	{"fulfil", "1.0", "0"}, {"catalog", "1.0", "0"},
}

// build compiles the shop's functions into dir/artifacts.
func build(ctx context.Context, dir string) (map[string]built, error) {
	source := filepath.Join(dir, "functions")
	if err := copyTree("shop/functions", source); err != nil {
		return nil, err
	}
	if err := os.Rename(filepath.Join(source, "go.mod.txt"), filepath.Join(source, "go.mod")); err != nil {
		return nil, fmt.Errorf("prepare the functions: %w", err)
	}
	artifacts := filepath.Join(dir, "artifacts")
	if err := os.MkdirAll(artifacts, 0o755); err != nil {
		return nil, fmt.Errorf("prepare the functions: %w", err)
	}
	out := map[string]built{}
	for _, r := range recipes {
		name := r.function + "-" + r.version
		binary := filepath.Join(dir, "build", name)
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w -X main.version="+r.version+" -X main.failing="+r.failing, "-o", binary, "./"+r.function)
		cmd.Dir = source
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=", "GOWORK=off")
		if text, err := cmd.CombinedOutput(); err != nil {
			if errors.Is(err, exec.ErrNotFound) {
				return nil, errors.New("the demo compiles its functions with Go: put go on PATH")
			}
			return nil, fmt.Errorf("build %s: %w\n%s", name, err, text)
		}
		b, err := pack(binary, filepath.Join(artifacts, name+".zip"))
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", name, err)
		}
		out[name] = b
	}
	return out, nil
}

// pack zips a binary as bootstrap, the same bytes for the same binary.
func pack(binary, target string) (built, error) {
	code, err := os.ReadFile(binary)
	if err != nil {
		return built{}, err
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	header.SetMode(0o755)
	w, err := z.CreateHeader(header)
	if err != nil {
		return built{}, err
	}
	if _, err := w.Write(code); err != nil {
		return built{}, err
	}
	if err := z.Close(); err != nil {
		return built{}, err
	}
	sum := sha256.Sum256(buf.Bytes())
	return built{file: filepath.Base(target), digest: "sha256:" + hex.EncodeToString(sum[:])}, os.WriteFile(target, buf.Bytes(), 0o644)
}

// copyTree writes a folder of the embedded example to disk.
func copyTree(from, to string) error {
	return fs.WalkDir(testdata.Shop, from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, filepath.FromSlash(strings.TrimPrefix(path, from)))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := testdata.Shop.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
}
