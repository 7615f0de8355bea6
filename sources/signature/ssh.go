package signature

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"mooring.dev/sources"
)

// namespace is what git signs for.
const namespace = "git"

// minRSA is the shortest RSA key that proves anything, in bits.
const minRSA = 2048

// allowed is one line of a file of allowed signers.
type allowed struct {
	principals    string // as written: who signs with it
	fingerprint   string
	key           ssh.PublicKey
	namespaces    []string // patterns; none: every namespace
	after, before time.Time
}

// readAllowed reads a file of allowed signers, in the format of ssh-keygen(1).
// Times without Z are UTC here.
func (s *signers) readAllowed(name, text string) error {
	var faults []error
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		a, err := parseAllowed(line)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", name, n, err))
			continue
		}
		s.ssh = append(s.ssh, a)
	}
	if len(s.ssh) == 0 && len(faults) == 0 {
		faults = append(faults, fmt.Errorf("%s: names no signer; want lines as: anna@example.com ssh-ed25519 AAAA…", name))
	}
	return errors.Join(faults...)
}

func parseAllowed(line string) (allowed, error) {
	principals, rest, err := firstWord(line)
	if err != nil {
		return allowed{}, err
	}
	a := allowed{principals: principals}
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(rest))
	if err != nil {
		return allowed{}, errors.New("no public key after the principals; want: principals [options] keytype key")
	}
	for _, option := range options {
		if err := a.option(option); err != nil {
			return allowed{}, err
		}
	}
	a.key, a.fingerprint = key, ssh.FingerprintSHA256(key)
	return a, strong(key)
}

// firstWord is the principals, which may be quoted.
func firstWord(line string) (word, rest string, err error) {
	if quoted, ok := strings.CutPrefix(line, `"`); ok {
		word, rest, ok = strings.Cut(quoted, `"`)
		if !ok {
			return "", "", errors.New("a quotation mark is not closed")
		}
	} else if i := strings.IndexAny(line, " \t"); i > 0 {
		word, rest = line[:i], line[i:]
	}
	if strings.TrimSpace(word) == "" {
		return "", "", errors.New("no principals before the key; want: principals [options] keytype key")
	}
	return word, strings.TrimSpace(rest), nil
}

func (a *allowed) option(option string) (err error) {
	name, value, _ := strings.Cut(option, "=")
	value = strings.Trim(value, `"`)
	switch strings.ToLower(name) {
	case "cert-authority":
		return errors.New("certificates are not checked: name each key instead of a cert-authority")
	case "namespaces":
		a.namespaces = strings.Split(value, ",")
		for _, pattern := range a.namespaces {
			if _, err := path.Match(strings.TrimPrefix(pattern, "!"), ""); err != nil {
				return fmt.Errorf("namespaces: %q is no pattern", pattern)
			}
		}
	case "valid-after":
		a.after, err = moment(value)
	case "valid-before":
		a.before, err = moment(value)
	default:
		return fmt.Errorf("option %q is not known; want namespaces, valid-after or valid-before", name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func moment(text string) (time.Time, error) {
	plain := strings.TrimSuffix(strings.TrimSuffix(text, "Z"), "z")
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if t, err := time.Parse(layout, plain); err == nil && len(plain) == len(layout) {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time; want YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS", text)
}

// strong refuses keys whose signatures can be forged.
func strong(key ssh.PublicKey) error {
	if _, is := key.(*ssh.Certificate); is {
		return errors.New("certificates are not checked: name the key itself")
	}
	if key.Type() == "ssh-dss" {
		return errors.New("a DSA key proves nothing any more; want ssh-ed25519")
	}
	if holder, ok := key.(ssh.CryptoPublicKey); ok {
		if r, ok := holder.CryptoPublicKey().(*rsa.PublicKey); ok && r.N.BitLen() < minRSA {
			return fmt.Errorf("an RSA key of %d bits is too short; want %d or ssh-ed25519", r.N.BitLen(), minRSA)
		}
	}
	return nil
}

// checkSSH finds what an SSH signature comes to. A key may stand on several
// lines; the first that is good for this commit counts.
func (s *signers) checkSSH(c sources.Commit, armored string, now time.Time) sources.Signature {
	out := sources.Signature{Kind: "ssh"}
	sig, err := sshsig.Unarmor([]byte(armored))
	if err != nil {
		return refuse(out, "its signature cannot be read: %v", err)
	}
	out.KeyID = ssh.FingerprintSHA256(sig.PublicKey)
	why := ""
	for _, a := range s.ssh {
		if a.fingerprint != out.KeyID {
			continue
		}
		out.Signer = a.principals
		if err := sshsig.Verify(strings.NewReader(c.Proof.Payload), sig, a.key, sig.HashAlgorithm, namespace); err != nil {
			return refuse(out, "its signature is not of this commit: %v", err)
		}
		reason := a.bars(c.Time, now)
		if reason == "" {
			out.Status = valid
			return out
		}
		if why == "" {
			why = reason
		}
	}
	if why != "" {
		return refuse(out, "%s", why)
	}
	out.Status, out.Why = unknown, "the key is not among the allowed signers"
	return out
}

// bars is why a key does not count; "" when it does. A commit's own time can be
// set back, so that a key which has run out proves nothing any more, whenever
// the commit says it was made.
func (a allowed) bars(made, now time.Time) string {
	switch {
	case !a.signsFor(namespace):
		return "the key is not allowed to sign for " + namespace
	case !a.after.IsZero() && (made.Before(a.after) || now.Before(a.after)):
		return "the key is good only after " + a.after.Format(time.RFC3339)
	case !a.before.IsZero() && (made.After(a.before) || now.After(a.before)):
		return "the key was good only before " + a.before.Format(time.RFC3339)
	}
	return ""
}

// signsFor reads patterns as ssh does: one with ! that fits forbids.
func (a allowed) signsFor(space string) bool {
	if len(a.namespaces) == 0 {
		return true
	}
	fits := func(pattern string) bool {
		ok, err := path.Match(pattern, space)
		return ok && err == nil
	}
	for _, pattern := range a.namespaces {
		if not, ok := strings.CutPrefix(pattern, "!"); ok && fits(not) {
			return false
		}
	}
	return slices.ContainsFunc(a.namespaces, fits)
}
