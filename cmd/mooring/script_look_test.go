package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdExit runs a program that has to end with a code: exit 2 mooring plan ….
func cmdExit(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// request asks with the daemon's token, if there is one.
func request(ts *testscript.TestScript, method, url, body, token string) (int, http.Header, []byte, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	ts.Check(err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && strings.Contains(url, "/api/v1/") && resp.Header.Get("Content-Type") == "application/json" {
		ts.Check(asDescribed(stageOf(ts), req, token, resp.StatusCode, data))
	}
	return resp.StatusCode, resp.Header, data, err
}

func daemonToken(ts *testscript.TestScript) string {
	token, err := os.ReadFile(filepath.Join(ts.Getenv("STATE"), "token"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(token))
}

// cmdWaitFor polls the daemon until a value of its answer matches:
// waitfor [-t 30s] status environments[name=preview].state in_sync.
func cmdWaitFor(ts *testscript.TestScript, _ bool, args []string) {
	limit := 40 * time.Second
	if args[0] == "-t" {
		var err error
		limit, err = time.ParseDuration(args[1])
		ts.Check(err)
		args = args[2:]
	}
	if len(args) != 3 {
		ts.Fatalf("usage: waitfor [-t LIMIT] API-PATH JSON-PATH REGEXP")
	}
	var last string
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		status, _, data, err := request(ts, http.MethodGet, ts.Getenv("DAEMON")+"/api/v1/"+args[0], "", daemonToken(ts))
		if err != nil || status != http.StatusOK {
			last = fmt.Sprint(status, " ", err, " ", string(data))
			continue
		}
		text, err := lookFor(data, args[1])
		last = fmt.Sprintf("%q %v in %.1500s", text, err, data)
		if err == nil && wholly(args[2], text) {
			return
		}
	}
	log := ""
	if p := stageOf(ts).processes["daemon"]; p != nil {
		log = p.tail()
	}
	ts.Fatalf("%s %s did not become %s within %s: %s\n%s", args[0], args[1], args[2], limit, last, log)
}

func wholly(pattern, text string) bool {
	return regexp.MustCompile(`^(?s:` + pattern + `)$`).MatchString(text)
}

// cmdHTTPGet gets a URL: httpget [-status 401] [-token TEXT] [-post BODY] [-method DELETE] URL.
// The body is in the file "body", the headers in "headers".
func cmdHTTPGet(ts *testscript.TestScript, _ bool, args []string) {
	want, token, method, body := http.StatusOK, "", http.MethodGet, ""
	for len(args) > 1 {
		switch args[0] {
		case "-status":
			var err error
			want, err = strconv.Atoi(args[1])
			ts.Check(err)
		case "-token":
			token = args[1]
			if token == "own" {
				token = daemonToken(ts)
			}
		case "-post":
			method, body = http.MethodPost, args[1]
		case "-method":
			method = args[1]
		default:
			ts.Fatalf("httpget: unknown flag %s", args[0])
		}
		args = args[2:]
	}
	status, headers, data, err := request(ts, method, args[0], body, token)
	ts.Check(err)
	var head bytes.Buffer
	ts.Check(headers.Write(&head))
	ts.Check(os.WriteFile(ts.MkAbs("body"), data, 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("headers"), head.Bytes(), 0o644))
	if status != want {
		ts.Fatalf("%s: %d, want %d: %s", args[0], status, want, data)
	}
}

// cmdJSON asserts on a value: json FILE PATH REGEXP.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json FILE PATH REGEXP")
	}
	doc := ts.ReadFile(args[0])
	text, err := lookFor([]byte(doc), args[1])
	if (err == nil && wholly(args[2], text)) == neg {
		ts.Fatalf("%s is %q (%v), want %s, in %.4000s", args[1], text, err, args[2], doc)
	}
}

// cmdSetEnv takes a value out of a document: setenv NAME FILE PATH.
func cmdSetEnv(ts *testscript.TestScript, _ bool, args []string) {
	text, err := lookFor([]byte(ts.ReadFile(args[1])), args[2])
	ts.Check(err)
	ts.Setenv(args[0], text)
}

// cmdAppend adds a line to a file.
func cmdAppend(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	ts.Check(err)
	_, err = f.WriteString(strings.Join(args[1:], " ") + "\n")
	ts.Check(errors.Join(err, f.Close()))
}

// lookFor finds a value in a document: a.b[0].c, a[name=x], a.# (how many).
func lookFor(data []byte, path string) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return "", fmt.Errorf("%w in %.200s", err, data)
	}
	for _, part := range pathParts.FindAllString(path, -1) {
		var ok bool
		if v, ok = into(v, strings.Trim(part, ".")); !ok {
			return "", fmt.Errorf("no %s in %s", part, path)
		}
	}
	if s, ok := v.(string); ok {
		return s, nil
	}
	text, err := json.Marshal(v)
	return string(text), err
}

var pathParts = regexp.MustCompile(`\.?[^.\[\]]+|\[[^\]]*\]`)

func into(v any, part string) (any, bool) {
	list, isList := v.([]any)
	switch {
	case part == "#":
		return json.Number(strconv.Itoa(len(list))), isList
	case !strings.HasPrefix(part, "["):
		object, ok := v.(map[string]any)
		member, has := object[part]
		return member, ok && has
	}
	inner := strings.Trim(part, "[]")
	if key, want, ok := strings.Cut(inner, "="); ok {
		for _, item := range list {
			if object, ok := item.(map[string]any); ok && wholly(want, fmt.Sprint(object[key])) {
				return item, true
			}
		}
		return nil, false
	}
	i, err := strconv.Atoi(inner)
	if err != nil || i >= len(list) {
		return nil, false
	}
	return list[i], true
}

// cmdShape writes what members a document has and of which types, a line
// each: shape FILE INTO. Members of maps with free keys show as *.
func cmdShape(ts *testscript.TestScript, _ bool, args []string) {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	seen := map[string]bool{}
	shapeOf("", v, seen)
	lines := make([]string, 0, len(seen))
	for line := range seen {
		lines = append(lines, line)
	}
	slices.Sort(lines)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(lines, "\n")+"\n"), 0o644))
}

// freeKeys are members whose own members are named by what they count;
// freeValues are fields of resources, of any shape.
var (
	freeKeys   = regexp.MustCompile(`\.(drift|resources|layers)$`)
	freeValues = regexp.MustCompile(`(fields\[\]\.(before|after)|items\[\]\.(declared|live))$`)
)

func shapeOf(path string, v any, seen map[string]bool) {
	if freeValues.MatchString(path) {
		seen[path+" any"] = true
		return
	}
	switch v := v.(type) {
	case map[string]any:
		if freeKeys.MatchString(path) || len(v) == 0 {
			seen[path+" object"] = true
			return
		}
		for key, member := range v {
			shapeOf(path+"."+key, member, seen)
		}
	case []any:
		seen[path+" list"] = true
		for _, item := range v {
			shapeOf(path+"[]", item, seen)
		}
	case string:
		seen[path+" string"] = true
	case float64:
		seen[path+" number"] = true
	case bool:
		seen[path+" bool"] = true
	case nil:
		seen[path+" null"] = true
	}
}

// cmdNoSecret fails when a text is anywhere below the script's folder, in
// whatever a program of ours wrote: nosecret TEXT PATH….
func cmdNoSecret(ts *testscript.TestScript, _ bool, args []string) {
	looked := 0
	for _, root := range args[1:] {
		ts.Check(filepath.WalkDir(ts.MkAbs(root), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			looked++
			if at := bytes.Index(data, []byte(args[0])); at >= 0 {
				return fmt.Errorf("%s holds the secret: …%q…", path, data[max(0, at-120):min(len(data), at+len(args[0])+60)])
			}
			return nil
		}))
	}
	if looked == 0 {
		ts.Fatalf("nothing to look at in %v", args[1:])
	}
}
