package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"strings"
	"time"

	"mooring.dev/reconciler/egress"
)

// How an Email's connection is kept private.
const (
	StartTLS    = "starttls" // the server must offer it
	ImplicitTLS = "implicit" // from the first byte on, usually port 465
	NoTLS       = "none"     // for a relay on this machine or in a private network
)

const (
	emailLines = 200
	emailText  = 512 << 10 // bytes; servers refuse mails beyond a few megabytes
)

// EmailOptions say where mail goes and who sends it.
type EmailOptions struct {
	Server   string // host:port
	TLS      string // StartTLS by default
	From     string
	To       []string
	Username string // "": no authentication
	Password Secret
	Trust    *x509.CertPool // authorities of its certificate; nil: the machine's
	Host     string         // what this machine calls itself to the server; "": its name
}

// Email sends through one SMTP server. The event's id is the message's id, so
// that mail programs that care see one message; what is about the same alert
// is one thread.
type Email struct{ o EmailOptions }

// NewEmail sends through the server of o.
func NewEmail(o EmailOptions) *Email {
	o.TLS, o.Host = cmp.Or(o.TLS, StartTLS), cmp.Or(o.Host, hostName())
	return &Email{o: o}
}

// hostName is this machine's name as servers take it, or "localhost".
func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "localhost"
	}
	return name
}

// Notify implements Notifier.
func (m *Email) Notify(ctx context.Context, e Event) error {
	return m.send(ctx, letter{id: e.ID, thread: e.Fingerprint, subject: Headline(e), text: Words(e), at: e.At})
}

// NotifyAll implements Grouper.
func (m *Email) NotifyAll(ctx context.Context, events []Event) error {
	title, lines := digest(events, digestSize{emailLines, textMost})
	for i, a := range looks(events) {
		if i == 0 {
			lines = append(lines, "")
		}
		lines = append(lines, a.Name+": "+a.Link)
	}
	id := groupKey(events)
	return m.send(ctx, letter{id: id, thread: id, subject: title, text: strings.Join(lines, "\n") + "\n", at: events[len(events)-1].At})
}

type letter struct {
	id, thread, subject, text string
	note                      string // below the text, however long that is
	at                        time.Time
}

// message is the letter as it goes over the wire. No part of an event can add
// a header: what stands in one is encoded or a digest.
func (m *Email) message(l letter) ([]byte, error) {
	var out bytes.Buffer
	subject := strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, cut(l.subject, 200))
	fmt.Fprintf(&out, "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\n", m.o.From, strings.Join(m.o.To, ",\r\n "),
		strings.ReplaceAll(mime.QEncoding.Encode("utf-8", subject), "?= =?", "?=\r\n =?"), l.at.UTC().Format(time.RFC1123Z))
	fmt.Fprintf(&out, "Message-ID: <%s@mooring>\r\nReferences: <%s@mooring>\r\n", digestOf(l.id), digestOf("thread "+l.thread))
	out.WriteString("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	w := quotedprintable.NewWriter(&out)
	if _, err := w.Write([]byte(strings.ReplaceAll(cutLines(l.text, emailText)+l.note, "\n", "\r\n"))); err != nil {
		return nil, err
	}
	return out.Bytes(), w.Close()
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

func (m *Email) send(ctx context.Context, l letter) error {
	host, _, err := net.SplitHostPort(m.o.Server)
	if err != nil {
		return Permanent(fmt.Errorf("notify: the mail server %q is not host:port", m.o.Server))
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	c, done, err := m.dial(ctx, host)
	if err != nil {
		return fmt.Errorf("notify %s: %w", m.o.Server, err)
	}
	defer done()
	if err := m.hand(c, host, l); err != nil {
		return m.classify(err)
	}
	_ = c.Quit() // the message is taken; how the server parts says nothing
	return nil
}

// dial connects and lets ctx end whatever hangs.
func (m *Email) dial(ctx context.Context, host string) (*smtp.Client, func(), error) {
	conn, err := egress.Dialer(requestTimeout).DialContext(ctx, "tcp", m.o.Server)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	if m.o.TLS == ImplicitTLS {
		conn = tls.Client(conn, m.tls(host))
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		stop()
		_ = conn.Close()
		return nil, nil, err
	}
	return c, func() { stop(); _ = c.Close() }, nil
}

func (m *Email) tls(host string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: m.o.Trust}
}

// ErrNoTLS: the server would take the mail in the open. ErrLogin: it does not
// know the username, or not with this password.
var (
	ErrNoTLS = errors.New("the server offers no STARTTLS; use tls: implicit, or tls: none where the way is private")
	ErrLogin = errors.New("the server does not take the username with this password")
)

// Look goes as far as sending goes before it says for whom a mail is: it connects,
// has the connection made private, and logs in where there is a username. Nothing
// is sent.
func (m *Email) Look(ctx context.Context) error {
	host, _, err := net.SplitHostPort(m.o.Server)
	if err != nil {
		return Permanent(fmt.Errorf("notify: the mail server %q is not host:port", m.o.Server))
	}
	c, done, err := m.dial(ctx, host)
	if err != nil {
		return fmt.Errorf("notify %s: %w", m.o.Server, err)
	}
	defer done()
	if err := m.enter(c, host); err != nil {
		return m.classify(err)
	}
	_ = c.Quit() // it let us in; how it parts says nothing
	return nil
}

// enter greets the server, has the connection made private, and logs in.
func (m *Email) enter(c *smtp.Client, host string) error {
	if err := c.Hello(m.o.Host); err != nil {
		return err
	}
	if m.o.TLS == StartTLS {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return ErrNoTLS
		}
		if err := c.StartTLS(m.tls(host)); err != nil {
			return err
		}
	}
	if m.o.Username != "" {
		password, err := read("mail server's password", m.o.Password)
		if err != nil {
			return err
		}
		if err := c.Auth(smtp.PlainAuth("", m.o.Username, password, host)); err != nil {
			return fmt.Errorf("%w: %w", ErrLogin, err)
		}
	}
	return nil
}

// hand gives the server a letter.
func (m *Email) hand(c *smtp.Client, host string, l letter) error {
	if err := m.enter(c, host); err != nil {
		return err
	}
	if err := c.Mail(m.o.From); err != nil {
		return err
	}
	refused, err := m.address(c)
	if err != nil {
		return err
	}
	if len(refused) > 0 {
		l.note = "\nThe mail server refused to take this for: " + strings.Join(refused, ", ") + "\n"
	}
	body, err := m.message(l)
	if err != nil {
		return Permanent(fmt.Errorf("notify: write the mail: %w", err))
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(body); err != nil {
		return err
	}
	return w.Close()
}

// address names the recipients to the server, and returns those it refuses: one
// whom it does not know keeps the mail from nobody else, and the others are told. It is an error when
// none is left.
func (m *Email) address(c *smtp.Client) (refused []string, err error) {
	for _, to := range m.o.To {
		no := c.Rcpt(to)
		var said *textproto.Error
		switch {
		case no == nil:
			continue
		case !errors.As(no, &said):
			return nil, no // the connection is gone
		}
		if refused = append(refused, to); err == nil || said.Code < 500 { // what may be taken later is worth a try
			err = no
		}
	}
	if len(refused) < len(m.o.To) {
		return refused, nil
	}
	return refused, err
}

// classify: what a server refuses with 5xx it refuses for good, except who
// sends: a password may be put right. Its words are not repeated.
func (m *Email) classify(err error) error {
	var said *textproto.Error
	if !errors.As(err, &said) {
		return fmt.Errorf("notify %s: %w", m.o.Server, err)
	}
	of := err
	if err = fmt.Errorf("notify %s: answered %d", m.o.Server, said.Code); errors.Is(of, ErrLogin) {
		err = fmt.Errorf("%w: %w", err, ErrLogin)
	}
	const authentication = 530 // 530 to 538: who sends is not known
	if said.Code >= 500 && (said.Code < authentication || said.Code > 538) {
		return Permanent(err)
	}
	return err
}
