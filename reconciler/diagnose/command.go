package diagnose

import (
	"encoding/json"
	"regexp"
	"strings"
)

// Place is how a command says where this installation is. The zero Place says
// nothing: the environment does.
type Place struct {
	Repository string // the flags that name and open it: --repo shop.git --git-token-file token
	Daemon     string // the flags that name the daemon: --server https://mooring.example.com
}

// mooring is a command about what the repository declares.
func (p Place) mooring(words string) string { return joined("mooring", words, p.Repository) }

// daemon is a command that asks the daemon.
func (p Place) daemon(words string) string { return joined("mooring", words, p.Daemon) }

// aws is a command for somebody who may more than we do.
func aws(region string, words ...string) string {
	all := append([]string{"aws"}, words...)
	if region != "" {
		all = append(all, "--region", region)
	}
	for i, w := range all {
		all[i] = Quoted(w)
	}
	return strings.Join(all, " ")
}

// then is several commands, each made when the one before went well.
func then(commands ...string) string { return strings.Join(commands, " && ") }

func joined(words ...string) string {
	var out []string
	for _, w := range words {
		if w != "" {
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Quoted is a word as a shell takes it for one.
func Quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// document is a policy of these statements.
func document(statements ...any) string {
	return written(map[string]any{"Version": "2012-10-17", "Statement": statements})
}

// written is a value as JSON.
func written(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "" // what is made here of texts and maps can be written
	}
	return string(text)
}
