package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring.dev/providers"
	"mooring.dev/reconciler/diagnose"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/journal/bolt"
	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/notify/amazon"
	"mooring.dev/sources/manifest"
)

// connectWithin bounds one attempt to reach somebody.
const connectWithin = 5 * time.Second

// ofGitClock compares our clock with that of a Git host that speaks HTTP.
func (d *doctoring) ofGitClock(ctx context.Context) []diagnose.Check {
	u, err := url.Parse(d.repo)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil
	}
	u.User = nil
	u.RawQuery = "service=git-upload-pack"
	u.Path = strings.TrimSuffix(u.Path, "/") + "/info/refs"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil
	}
	var c providers.Clock
	client := &http.Client{Timeout: connectWithin, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: d.authorities()}}}
	if resp, err := client.Do(req); err == nil {
		_ = resp.Body.Close() // any answer tells the time
		if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			c = providers.Clock{Known: true, Ahead: time.Since(at).Truncate(time.Second)}
		}
	}
	return []diagnose.Check{diagnose.OfClock("clock", "git", "the Git host", c)}
}

// authorities are the system's and those of --ca-file; nil for the system's
// alone.
func (d *doctoring) authorities() *x509.CertPool {
	data, err := os.ReadFile(d.caFile)
	if d.caFile == "" || err != nil {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM(data)
	return pool
}

// receiver reads a receiver's secrets and connects to its address.
func (d *doctoring) receiver(ctx context.Context, look *platforms, name string, r manifest.Receiver) diagnose.Receiver {
	out := diagnose.Receiver{Name: name}
	address := ""
	out.Unread, out.Files = readSecrets(r, func(field, value, from string) {
		if from != "inline" {
			out.Secrets = append(out.Secrets, field+" from "+from)
		}
		if strings.HasSuffix(field, "url") {
			address = value
		}
	})
	switch {
	case r.PagerDuty != nil:
		address = cmp.Or(r.PagerDuty.URL, notify.PagerDutyURL)
	case r.Email != nil:
		lookAtMail(ctx, look, name, r, &out)
		return out
	}
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		out.Address, out.Proxy, out.Err = connect(ctx, u)
	} else if address != "" {
		out.Unread = append(out.Unread, "url is no http or https address")
	}
	if r.SNS != nil || r.EventBridge != nil {
		lookAtAWS(ctx, look, name, r, &out)
	}
	return out
}

// lookAtMail has a mail server let us in, as before a mail.
func lookAtMail(ctx context.Context, look *platforms, name string, r manifest.Receiver, out *diagnose.Receiver) {
	out.Address, out.Login = r.Email.Server, r.Email.Username
	if len(out.Unread) > 0 {
		out.Address = "" // without its password it would not let us in
		return
	}
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	n, err := look.openNotifier(name, r)
	if mail, ok := n.(*notify.Email); ok && err == nil {
		err = mail.Look(ctx)
	}
	out.Err = err
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, notify.ErrNoTLS):
		out.Why = diagnose.InTheOpen
	case errors.Is(err, notify.ErrLogin):
		out.Why = diagnose.NotLetIn
	case errors.As(err, &certificate):
		out.Why = diagnose.NotTrusted
	}
}

// lookAtAWS asks AWS whether a receiver's topic or bus is there.
func lookAtAWS(ctx context.Context, look *platforms, name string, r manifest.Receiver, out *diagnose.Receiver) {
	if r.SNS != nil {
		out.Address = r.SNS.TopicArn
	} else {
		out.Address = r.EventBridge.Bus
	}
	out.Cloud = true
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	n, err := look.openNotifier(name, r)
	if there, can := n.(interface{ Look(context.Context) error }); err == nil && can {
		err = there.Look(ctx)
	}
	if amazon.Denied(err) {
		out.Unseen, err = true, nil
	}
	out.Err = err
}

// tryRead reads a secret, says where it stands, and why it is of no use.
func tryRead(s manifest.Secret) (value, from, fault string) {
	from = "inline"
	switch {
	case s.FromEnv != "":
		from = "environment variable " + s.FromEnv
	case s.FromFile != "":
		from = "file " + s.FromFile
	}
	value, err := (&secrets{}).value(s)
	switch {
	case err != nil:
		fault = bareError(err)
	case value == "":
		fault = from + " is empty"
	}
	return value, from, fault
}

// bareError is an error that names a file or variable, and no value.
func bareError(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Path + ": " + at.Err.Error()
	}
	return err.Error()
}

// eachSecret goes through what of settings may be a secret, with its path.
func eachSecret(v reflect.Value, path string, visit func(string, manifest.Secret)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			eachSecret(v.Elem(), path, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			at := strconv.Itoa(i)
			if e := reflect.Indirect(v.Index(i)); e.Kind() == reflect.Struct && e.FieldByName("Name").Kind() == reflect.String {
				at = e.FieldByName("Name").String()
			}
			eachSecret(v.Index(i), inside(path, at), visit)
		}
	case reflect.Map:
		for key, e := range v.Seq2() {
			eachSecret(e, inside(path, key.String()), visit)
		}
	case reflect.Struct:
		if s, ok := v.Interface().(manifest.Secret); ok {
			if s != (manifest.Secret{}) {
				visit(path, s)
			}
			return
		}
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if v.Type().Field(i).IsExported() {
				eachSecret(v.Field(i), inside(path, name), visit)
			}
		}
	}
}

func inside(path, name string) string { return strings.Trim(path+"."+name, ".") }

// readSecrets tries to read every secret in v. Those that cannot be read are told with
// why, and with the command that writes the file where one is missing; ok is told of
// the others.
func readSecrets(v any, ok func(field, value, from string)) (unread, files []string) {
	eachSecret(reflect.ValueOf(v), "", func(field string, s manifest.Secret) {
		value, from, fault := tryRead(s)
		if fault == "" {
			ok(field, value, from)
			return
		}
		unread = append(unread, field+": "+fault)
		files = append(files, missingFile(s)...)
	})
	return unread, files
}

// otherSecrets are those of a pipeline that no receiver and no host has: of
// checks, measures and issuers.
func otherSecrets(p *manifest.Pipeline) diagnose.Secrets {
	rest := *p
	rest.Receivers, rest.Host = nil, nil
	var out diagnose.Secrets
	out.Unread, out.Files = readSecrets(rest, func(_, _, from string) {
		if from != "inline" {
			out.Read++
		}
	})
	slices.Sort(out.Unread)
	return out
}

// missingFile is the file that a secret should stand in and does not; none where it
// is another's, or stands there.
func missingFile(s manifest.Secret) []string {
	if _, err := os.Stat(s.FromFile); s.FromFile == "" || !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return []string{s.FromFile}
}

// connect opens a connection and closes it again: to the proxy, where one is
// in between.
func connect(ctx context.Context, u *url.URL) (address, proxy string, err error) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	address = net.JoinHostPort(u.Hostname(), port)
	dial := address
	if via, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err == nil && via != nil {
		proxy, dial = via.Host, via.Host
	}
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	var conn net.Conn
	if u.Scheme == "https" && proxy == "" {
		conn, err = (&tls.Dialer{}).DialContext(ctx, "tcp", dial)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", dial)
	}
	if err != nil {
		return address, proxy, err
	}
	return address, proxy, conn.Close()
}

// stateOf looks at the state folder. A file is made in it and taken away.
func stateOf(dir string) diagnose.State {
	st := diagnose.State{Dir: dir, User: processUser()}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		st.Missing = true
		if st.Above = standing(dir); writable(st.Above) != nil {
			st.Err = cause(writable(st.Above))
		}
		return st
	case err != nil:
		st.Err = cause(err)
		return st
	case !info.IsDir():
		st.NoFolder = true
		return st
	}
	st.Mode = info.Mode()
	if st.Err = writable(dir); st.Err != nil {
		st.Err = cause(st.Err)
	}
	for _, name := range []string{"token", "token.key", "journal.db"} {
		if f, err := os.Stat(filepath.Join(dir, name)); err == nil && f.Mode().Perm()&0o077 != 0 {
			st.Loose = append(st.Loose, name)
		}
	}
	st.Journal, st.JournalErr = journalState(journalPath(dir))
	st.Free, st.FreeKnown = freeSpace(dir)
	if kept, err := os.ReadDir(filepath.Join(dir, "artifacts")); err == nil && len(kept) > 0 {
		st.Caches = append(st.Caches, "artifacts")
	}
	return st
}

// standing is the nearest folder above that is there.
func standing(dir string) string {
	for {
		above := filepath.Dir(dir)
		if _, err := os.Stat(above); err == nil || above == dir {
			return above
		}
		dir = above
	}
}

// processUser is who this process is, as chown takes it.
func processUser() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// journalState opens a journal that is there, and closes it again.
func journalState(path string) (string, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "none", nil
	}
	store, err := bolt.Existing(path)
	switch {
	case errors.Is(err, journal.ErrLocked):
		return "used", nil
	case err != nil:
		return "", err
	}
	return "open", store.Close()
}

// zonesKnown looks up the zones schedules go by, and one that is always there.
func zonesKnown(zones map[string]bool) diagnose.Check {
	var unknown []string
	names := sortedNames(zones)
	for _, name := range append(names, "Europe/London") {
		if _, err := time.LoadLocation(name); err != nil {
			unknown = append(unknown, name)
		}
	}
	return diagnose.OfZones(len(names)+1, unknown)
}
