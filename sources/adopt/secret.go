package adopt

import (
	"encoding/json"
	"math"
	"net/url"
	"regexp"
	"strings"

	"mooring.dev/sources/manifest"
)

// suspicion says why a variable's value looks like a secret; "" if it does
// not. It errs on the side of secrecy: a false alarm costs a line in a list.
func suspicion(name, value string) string {
	switch {
	case harmless(value):
		return ""
	case manifest.SensitiveName(name):
		return "its name"
	}
	if why := shape(value); why != "" {
		return why
	}
	if !digestName.MatchString(strings.ToUpper(name)) && random(value) {
		return "it looks random"
	}
	return ""
}

// harmless values are no secret, whatever they are called: addresses of
// things, switches, and nothing.
func harmless(value string) bool {
	switch strings.ToLower(value) {
	case "", "true", "false", "yes", "no", "on", "off", "none", "null", "enabled", "disabled":
		return true
	}
	return arnForm.MatchString(value) && shape(value) == "" || strings.HasPrefix(value, "alias/")
}

var (
	arnForm    = regexp.MustCompile(`^arn:[a-z0-9-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[^\s]+$`)
	digestName = regexp.MustCompile(`(^|_)(SHA|SHA1|SHA256|MD5|COMMIT|DIGEST|CHECKSUM|HASH|VERSION|REVISION|REV|BUILD|RELEASE|LAYER|IMAGE)(_|$)`)
)

// shapes are forms that only secrets have.
var shapes = []struct {
	form *regexp.Regexp
	what string
}{
	{regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY`), "a private key"},
	{regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{16}\b`), "an AWS access key"},
	{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.`), "a JSON web token"},
	{regexp.MustCompile(`\b(sk|rk|whsec)_(live|test)?_?[A-Za-z0-9]{10,}`), "a Stripe key"},
	{regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,})`), "a token of a Git host"},
	{regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/[A-Z0-9]+/|discord(app)?\.com/api/webhooks/[0-9]+/`), "a chat token or webhook"},
	{regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{30,}|\bya29\.[0-9A-Za-z_-]{10,}`), "a Google key"},
	{regexp.MustCompile(`\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\bkey-[0-9a-f]{32}\b`), "a key of a mail service"},
	{regexp.MustCompile(`\b(npm_[A-Za-z0-9]{30,}|dop_v1_[0-9a-f]{30,}|shp(at|ss|ca|pa)_[0-9a-f]{20,}|sk-(ant-|proj-)?[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{20,})`), "an API token"},
	{regexp.MustCompile(`(?i)^(bearer|basic) [a-z0-9+/=._-]{8,}$`), "an authorization header"},
	{regexp.MustCompile(`(?i)(password|pwd|accountkey|sharedaccesskey|secret)\s*=\s*[^;\s]{3,}`), "a connection string"},
}

// shape says which secret a value has the form of; "" for none.
func shape(value string) string {
	for _, s := range shapes {
		if s.form.MatchString(value) {
			return "it has the form of " + s.what
		}
	}
	if why := addressWithSecret(value); why != "" {
		return why
	}
	if len(value) > 1 && (value[0] == '{' || value[0] == '[') {
		var doc any
		if json.Unmarshal([]byte(value), &doc) == nil && secretInside(doc, 0) {
			return "it is a document with a secret in it"
		}
	}
	return ""
}

// addressWithSecret finds user:password@ and ?token=… in addresses.
func addressWithSecret(value string) string {
	_, rest, isAddress := strings.Cut(value, "://")
	if !isAddress {
		return ""
	}
	u, err := url.Parse(value)
	if err != nil { // as of passwords with strange characters
		if at := strings.LastIndexByte(rest, '@'); at > 0 && strings.Contains(rest[:at], ":") {
			return "it is an address with a password in it"
		}
		return ""
	}
	if password, ok := u.User.Password(); ok && password != "" {
		return "it is an address with a password in it"
	}
	for key, values := range u.Query() {
		if (manifest.SensitiveName(key) || strings.EqualFold(key, "sig")) && len(values) > 0 && len(values[0]) > 3 {
			return "it is an address with a key in it"
		}
	}
	return ""
}

// secretInside looks for members of a document whose names are those of
// secrets.
func secretInside(doc any, depth int) bool {
	if depth > 16 {
		return false
	}
	switch doc := doc.(type) {
	case map[string]any:
		for key, value := range doc {
			text, isText := value.(string)
			if isText && suspicionShallow(key, text) || !isText && secretInside(value, depth+1) {
				return true
			}
		}
	case []any:
		for _, value := range doc {
			if secretInside(value, depth+1) {
				return true
			}
		}
	}
	return false
}

// suspicionShallow is suspicion without looking into documents again.
func suspicionShallow(name, value string) bool {
	if len(value) > 0 && (value[0] == '{' || value[0] == '[') {
		return manifest.SensitiveName(name)
	}
	return suspicion(name, value) != ""
}

var (
	uuid     = regexp.MustCompile(`^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`)
	platform = regexp.MustCompile(`^(subnet|sg|vpc|vpce|i|ami|eni|fs|fsap|rtb|acl|nat|igw|snap|vol|lt|eipalloc|prefixlist|pl)-[0-9a-f]{8,17}$`)
	word     = regexp.MustCompile(`^[A-Za-z0-9+/=_-]+$`)
)

// random tells of a word that nobody would think of: long, of mixed letters
// and digits, and without repetition.
func random(value string) bool {
	if len(value) < 20 || len(value) > 512 || !word.MatchString(value) || uuid.MatchString(value) || platform.MatchString(value) {
		return false
	}
	if strings.Count(value, "/") > 2 || strings.HasPrefix(value, "/") {
		return false // a path
	}
	digits, upper, lower := 0, 0, 0
	for i := range len(value) {
		switch c := value[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'A' && c <= 'Z':
			upper++
		case c >= 'a' && c <= 'z':
			lower++
		}
	}
	if digits < 3 || upper+lower < 3 {
		return false
	}
	if strings.Count(value, "-")+strings.Count(value, "_") >= 2 && (upper == 0 || lower == 0) {
		return false // words joined by dashes, as names are
	}
	return entropy(value) >= 3.2
}

// entropy is Shannon's, in bits for each character.
func entropy(value string) float64 {
	var counts [256]int
	for i := range len(value) {
		counts[value[i]]++
	}
	sum := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(value))
			sum -= p * math.Log2(p)
		}
	}
	return sum
}
