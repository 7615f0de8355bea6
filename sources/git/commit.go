package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"mooring.dev/sources"
)

// parseSHA reads a whole SHA-1 in hex, the only form of a commit's name here.
func parseSHA(sha string) (plumbing.Hash, error) {
	if !plumbing.IsHash(sha) {
		return plumbing.ZeroHash, as(sources.ErrUnknownCommit, "%q is not a commit id of 40 hex digits", sha)
	}
	return plumbing.NewHash(sha), nil
}

// snapshot describes a commit in the store.
func (s *store) snapshot(hash plumbing.Hash) (sources.Snapshot, error) {
	commit, err := s.commit(hash)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return sources.Snapshot{}, as(sources.ErrUnknownCommit, "%s", hash)
	}
	if err != nil {
		return sources.Snapshot{}, err
	}
	if _, err := s.tree(commit.TreeHash); err != nil {
		return sources.Snapshot{}, fmt.Errorf("commit %s: %w", hash, err)
	}
	var tree fs.FS = treeFS{store: s, root: commit.TreeHash}
	return sources.Snapshot{Commit: describe(commit), TreeID: commit.TreeHash.String(), Tree: tree}, nil
}

func describe(c *object.Commit) sources.Commit {
	out := sources.Commit{
		SHA:       c.Hash.String(),
		Author:    sources.Identity{Name: c.Author.Name, Email: c.Author.Email},
		Committer: sources.Identity{Name: c.Committer.Name, Email: c.Committer.Email},
		Message:   c.Message,
		Trailers:  sources.ParseTrailers(c.Message),
		Time:      c.Committer.When,
		Signature: signatureOf(c.PGPSignature),
		Proof:     proofOf(c),
	}
	for _, parent := range c.ParentHashes {
		out.Parents = append(out.Parents, parent.String())
	}
	return out
}

// signatureOf says that there is a signature, and of which kind. Nothing is
// verified here, and the status says so.
func signatureOf(armored string) sources.Signature {
	switch {
	case armored == "":
		return sources.Signature{}
	case strings.Contains(armored, "BEGIN SSH SIGNATURE"):
		return sources.Signature{Status: "unchecked", Kind: "ssh"}
	case strings.Contains(armored, "BEGIN PGP "):
		return sources.Signature{Status: "unchecked", Kind: "pgp"}
	}
	return sources.Signature{Status: "unchecked"}
}

// proofOf is a commit's signature and the bytes it was made over. A commit that
// reads as another once the signature is taken out of it has none: else the
// signature could carry what nobody signed.
func proofOf(c *object.Commit) sources.Proof {
	if c.PGPSignature == "" {
		return sources.Proof{}
	}
	proof := sources.Proof{Armored: c.PGPSignature}
	bare, read := &plumbing.MemoryObject{}, &object.Commit{}
	if c.EncodeWithoutSignature(bare) != nil || read.Decode(bare) != nil {
		return proof
	}
	same := read.TreeHash == c.TreeHash && slices.Equal(read.ParentHashes, c.ParentHashes) && read.Message == c.Message &&
		read.Author.String() == c.Author.String() && read.Committer.String() == c.Committer.String() && read.PGPSignature == ""
	if text, err := payload(bare); err == nil && same {
		proof.Payload = text
	}
	return proof
}

func payload(o plumbing.EncodedObject) (string, error) {
	r, err := o.Reader()
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	return string(text), errors.Join(err, r.Close())
}

// newCommit writes a commit object, signed where there is a key.
func (s *store) newCommit(c object.Commit, sign func([]byte) (string, error)) (plumbing.Hash, error) {
	if sign != nil {
		bare := &plumbing.MemoryObject{}
		err := c.EncodeWithoutSignature(bare)
		var text string
		if err == nil {
			text, err = payload(bare)
		}
		if err == nil {
			c.PGPSignature, err = sign([]byte(text))
		}
		if err != nil {
			return plumbing.ZeroHash, fmt.Errorf("sign commit: %w", err)
		}
	}
	memory := &plumbing.MemoryObject{}
	if err := c.Encode(memory); err != nil {
		return plumbing.ZeroHash, fmt.Errorf("encode commit: %w", err)
	}
	return s.put(memory)
}

func stamp(who sources.Identity, at time.Time) object.Signature {
	clean := func(text string) string {
		return strings.TrimSpace(strings.Map(func(r rune) rune {
			if r < ' ' || r == '<' || r == '>' {
				return -1
			}
			return r
		}, text))
	}
	return object.Signature{Name: clean(who.Name), Email: clean(who.Email), When: at.UTC().Truncate(time.Second)}
}

// isAncestor reports whether old is reached from tip by parents. It reads no
// dates: clocks lie.
func (s *store) isAncestor(ctx context.Context, old, tip plumbing.Hash) (bool, error) {
	found := false
	err := s.history(ctx, []plumbing.Hash{tip}, func(c *object.Commit) (bool, error) {
		found = found || c.Hash == old
		return !found, nil
	})
	return found, err
}

// history visits commits from the tips, each once, nearest first; visit says
// whether to go on to the parents.
func (s *store) history(ctx context.Context, tips []plumbing.Hash, visit func(*object.Commit) (bool, error)) error {
	seen := map[plumbing.Hash]bool{}
	queue := append([]plumbing.Hash(nil), tips...)
	for len(queue) > 0 {
		hash := queue[0]
		queue = queue[1:]
		if seen[hash] {
			continue
		}
		seen[hash] = true
		if err := ctx.Err(); err != nil {
			return err
		}
		commit, err := s.commit(hash)
		if err != nil {
			return err
		}
		deeper, err := visit(commit)
		if err != nil {
			return err
		}
		if deeper {
			queue = append(queue, commit.ParentHashes...)
		}
	}
	return nil
}
