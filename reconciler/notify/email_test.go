package notify

import (
	"bufio"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"
)

// postbox is a mail server that keeps what it is given.
type postbox struct {
	t       *testing.T
	answers map[string]string // to a command, instead of the usual one
	cert    *tls.Certificate  // offers STARTTLS
	address string
	mu      sync.Mutex
	said    []string // commands, with passwords decoded
	private []bool   // of each, whether it came by TLS
	mails   []string
	wg      sync.WaitGroup
}

func newPostbox(t *testing.T, cert *tls.Certificate, answers map[string]string) *postbox {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newPostboxAt(t, l, cert, answers)
}

func newPostboxAt(t *testing.T, l net.Listener, cert *tls.Certificate, answers map[string]string) *postbox {
	p := &postbox{t: t, answers: answers, cert: cert, address: l.Addr().String()}
	p.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); p.wg.Wait() })
	return p
}

func (p *postbox) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	private := false
	in := bufio.NewReader(conn)
	say := func(text string) { _, _ = io.WriteString(conn, text+"\r\n") }
	say("220 postbox")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, _, _ := strings.Cut(line, " ")
		p.note(line, private)
		switch {
		case p.answers[line] != "":
			say(p.answers[line])
		case p.answers[verb] != "":
			say(p.answers[verb])
		case verb == "EHLO" && p.cert != nil && !private:
			say("250-postbox\r\n250-AUTH PLAIN\r\n250 STARTTLS")
		case verb == "EHLO":
			say("250-postbox\r\n250 AUTH PLAIN")
		case verb == "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*p.cert}})
			in, private = bufio.NewReader(conn), true
		case verb == "AUTH":
			say("235 welcome")
		case verb == "DATA":
			say("354 go on")
			answer := cmp.Or(p.answers["."], "250 taken")
			p.mail(in, strings.HasPrefix(answer, "2"))
			say(answer)
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (p *postbox) note(line string, private bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if rest, ok := strings.CutPrefix(line, "AUTH PLAIN "); ok {
		plain, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			p.t.Error(err)
		}
		line = "AUTH " + string(plain)
	}
	p.said, p.private = append(p.said, line), append(p.private, private)
}

func (p *postbox) mail(in *bufio.Reader, takes bool) {
	var text strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == ".\r\n" {
			break
		}
		text.WriteString(strings.TrimPrefix(line, "."))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if takes {
		p.mails = append(p.mails, text.String())
	}
}

// certificate is for 127.0.0.1, and the authorities that trust it.
func certificate(t *testing.T) (*tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, &about, &about, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(made)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// The password goes over TLS only, the mail is whole, and no part of an event
// becomes a header.
func TestEmail(t *testing.T) {
	cert, trust := certificate(t)
	box := newPostbox(t, cert, nil)
	m := NewEmail(EmailOptions{Server: box.address, From: "mooring@example.com", To: []string{"ann@example.com", "bob@example.com"}, Username: "mooring", Password: fixed("hunter2"), Trust: trust})
	e := told
	e.Title = "Bücher\r\nBcc: eve@example.com\r\n\r\nGone"
	e.Facts = append(e.Facts, Fact{"a dot", "\n.\n."})
	if err := m.Notify(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	for i, line := range box.said {
		if strings.HasPrefix(line, "AUTH") && (!box.private[i] || line != "AUTH \x00mooring\x00hunter2") {
			t.Errorf("%q, private %v", line, box.private[i])
		}
	}
	if len(box.mails) != 1 {
		t.Fatalf("%d mails after %q", len(box.mails), box.said)
	}
	got, err := mail.ReadMessage(strings.NewReader(box.mails[0]))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	if err != nil || got.Header.Get("Bcc") != "" || strings.ContainsAny(subject, "\r\n") || !strings.Contains(subject, "Bücher") || !strings.HasPrefix(subject, "[HIGH]") {
		t.Errorf("subject %q (%v), headers %v", subject, err, got.Header)
	}
	if to, err := got.Header.AddressList("To"); err != nil || len(to) != 2 {
		t.Errorf("to %v, %v", to, err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(got.Body))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"declared: 512", "who: user/bob", "hold: http://127.0.0.1:8420/production#hold", "\r\n.\r\n."} {
		if !strings.Contains(string(body), want) {
			t.Errorf("%q is missing in %q", want, body)
		}
	}
	again, err := m.message(letter{id: e.ID, thread: e.Fingerprint})
	if err != nil || !strings.Contains(string(again), "Message-ID: "+got.Header.Get("Message-Id")) {
		t.Errorf("the same event is another message: %s, %v", again, err)
	}
}

// What is about one alert is one thread, and another's is another; what comes
// together is its own.
func TestEmailThreads(t *testing.T) {
	box := newPostbox(t, nil, nil)
	m := NewEmail(EmailOptions{Server: box.address, TLS: NoTLS, From: "mooring@example.com", To: []string{"ann@example.com"}})
	over, other := sample, sample
	over.ID, over.Status = "a2", Resolved
	other.ID, other.Fingerprint = "a3", "f2"
	for _, e := range []Event{sample, over, other} {
		if err := m.Notify(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	other.Link = ""
	if err := m.NotifyAll(t.Context(), []Event{sample, other}); err != nil {
		t.Fatal(err)
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	var threads []string
	ids := map[string]bool{}
	for _, text := range box.mails {
		got, err := mail.ReadMessage(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		threads = append(threads, got.Header.Get("References"))
		ids[got.Header.Get("Message-Id")] = true
	}
	if len(threads) != 4 || len(ids) != 4 || threads[0] != threads[1] || threads[0] == threads[2] || threads[3] == threads[0] || threads[3] == threads[2] {
		t.Errorf("threads %q, ids %v", threads, ids)
	}
	if !strings.Contains(box.mails[3], "look production: "+sample.Link) {
		t.Errorf("what came together leads nowhere: %s", box.mails[3])
	}
}

// TLS from the first byte on is just that; and a server that says nothing is left
// when the time for it is over.
func TestEmailImplicitTLS(t *testing.T) {
	cert, trust := certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	box := newPostboxAt(t, tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*cert}}), nil, nil)
	o := EmailOptions{Server: box.address, TLS: ImplicitTLS, From: "mooring@example.com", To: []string{"ann@example.com"}, Username: "mooring", Password: fixed("hunter2"), Trust: trust}
	if err := NewEmail(o).Notify(t.Context(), sample); err != nil {
		t.Error(err)
	}
	o.Trust = nil
	if err := NewEmail(o).Notify(t.Context(), sample); err == nil || IsPermanent(err) {
		t.Errorf("a stranger's certificate: %v", err)
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	if len(box.mails) != 1 {
		t.Errorf("%d mails", len(box.mails))
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // connections wait in its queue
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	o.Server, o.TLS = silent.Addr().String(), NoTLS
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := NewEmail(o).Notify(ctx, sample); err == nil || IsPermanent(err) {
		t.Errorf("a server that says nothing: %v", err)
	}
}

// What a mail server's answer means, and that it is told nothing it should not
// know: without TLS no mail, with the wrong certificate none either.
func TestEmailRefusals(t *testing.T) {
	cert, trust := certificate(t)
	for name, c := range map[string]struct {
		answers map[string]string
		cert    *tls.Certificate
		trust   *x509.CertPool
		tls     string
		want    string
	}{
		"taken in the open when told so": {tls: NoTLS, want: "ok"},
		"no STARTTLS":                    {want: "retry"},
		"a stranger's certificate":       {cert: cert, want: "retry"},
		"busy":                           {answers: map[string]string{"MAIL": "451 later"}, cert: cert, trust: trust, want: "retry"},
		"too much, in the end":           {answers: map[string]string{".": "452 later"}, cert: cert, trust: trust, want: "retry"},
		"no such mail, in the end":       {answers: map[string]string{".": "554 hunter2 is spam"}, cert: cert, trust: trust, want: "dead"},
		"unknown recipient":              {answers: map[string]string{"RCPT": "550 who is hunter2"}, cert: cert, trust: trust, want: "dead"},
		"wrong password":                 {answers: map[string]string{"AUTH": "535 no"}, cert: cert, trust: trust, want: "retry"},
	} {
		t.Run(name, func(t *testing.T) {
			box := newPostbox(t, c.cert, c.answers)
			o := EmailOptions{Server: box.address, TLS: c.tls, From: "mooring@example.com", To: []string{"ann@example.com"}, Trust: c.trust}
			if c.trust != nil {
				o.Username, o.Password = "mooring", fixed("hunter2")
			}
			err := NewEmail(o).Notify(t.Context(), sample)
			got := "retry"
			switch {
			case err == nil:
				got = "ok"
			case IsPermanent(err):
				got = "dead"
			}
			if got != c.want {
				t.Errorf("%s (%v), want %s", got, err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v tells what the server said", err)
			}
			box.mu.Lock()
			defer box.mu.Unlock()
			if (len(box.mails) > 0) != (c.want == "ok") {
				t.Errorf("%d mails", len(box.mails))
			}
		})
	}
	gone := NewEmail(EmailOptions{Server: "127.0.0.1:1", TLS: NoTLS, From: "a@b.c", To: []string{"d@e.f"}})
	if err := gone.NotifyAll(t.Context(), []Event{sample, told}); err == nil || IsPermanent(err) {
		t.Errorf("nobody there: %v", err)
	}
	if err := NewEmail(EmailOptions{Server: "nowhere", From: "a@b.c", To: []string{"d@e.f"}}).Notify(t.Context(), sample); !IsPermanent(err) {
		t.Errorf("no address: %v", fmt.Sprint(err))
	}
}

// One whom the server does not know keeps the mail from nobody else, who learn
// of it; and the machine says its name.
func TestEmailOneUnknownRecipient(t *testing.T) {
	people := []string{"ann@example.com", "bob@example.com", "cid@example.com"}
	refusals := func(answers ...string) map[string]string {
		out := map[string]string{}
		for i, answer := range answers {
			out["RCPT TO:<"+people[i]+">"] = answer
		}
		return out
	}
	for name, c := range map[string]struct {
		answers map[string]string
		mails   int
		want    string
	}{
		"the first is unknown":     {refusals("550 no"), 1, "ok"},
		"the last is unknown":      {refusals("", "", "550 no"), 1, "ok"},
		"one may be taken later":   {refusals("", "451 later"), 1, "ok"},
		"none is known":            {refusals("550 no", "550 no", "550 no"), 0, "dead"},
		"none yet, one never":      {refusals("550 no", "451 later", "550 no"), 0, "retry"},
		"the server wants no more": {refusals("", "452 too many"), 1, "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			box := newPostbox(t, nil, c.answers)
			err := NewEmail(EmailOptions{Server: box.address, TLS: NoTLS, From: "mooring@example.com", To: people, Host: "node-7.example"}).Notify(t.Context(), sample)
			got := "retry"
			switch {
			case err == nil:
				got = "ok"
			case IsPermanent(err):
				got = "dead"
			}
			box.mu.Lock()
			defer box.mu.Unlock()
			if got != c.want || len(box.mails) != c.mails || box.said[0] != "EHLO node-7.example" {
				t.Fatalf("%s (%v) and %d mails, want %s and %d; said %q", got, err, len(box.mails), c.want, c.mails, box.said)
			}
			for i, who := range people {
				if refused := c.answers["RCPT TO:<"+who+">"] != ""; c.mails == 1 && strings.Contains(box.mails[0], "refused to take this for") && refused != strings.Contains(box.mails[0][strings.Index(box.mails[0], "refused to take"):], who) {
					t.Errorf("%d, %s, refused %v: %s", i, who, refused, box.mails[0])
				}
			}
			if c.mails == 1 && !strings.Contains(box.mails[0], "refused to take this for") {
				t.Errorf("the others are not told: %s", box.mails[0])
			}
		})
	}
	if name := hostName(); name == "" || NewEmail(EmailOptions{}).o.Host != name {
		t.Errorf("this machine is %q", name)
	}
}

// TestMailsAreBounded: no text makes a mail that servers refuse for its size, and
// what is told of the mail itself stands below all the same.
func TestMailsAreBounded(t *testing.T) {
	m := NewEmail(EmailOptions{Server: "mail.example.com:25", From: "mooring@example.com", To: []string{"oncall@example.com"}})
	for name, text := range map[string]string{"lines": strings.Repeat("a line of it\n", 1<<20), "one line": strings.Repeat("ü", 4<<20)} {
		body, err := m.message(letter{id: "a", thread: "f", subject: "title", text: text, note: "\nThe mail server refused it.\n"})
		if err != nil {
			t.Fatal(err)
		}
		if most := 4 * emailText; len(body) > most || len(body) < emailText/2 || !strings.Contains(string(body), "The mail server refused it.") {
			t.Errorf("%s: a mail of %d bytes, want %d to %d", name, len(body), emailText/2, most)
		}
	}
}
