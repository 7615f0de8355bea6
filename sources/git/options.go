package git

import (
	"errors"
	"fmt"
	"time"

	"mooring.dev/sources"
	"mooring.dev/sources/reread"
)

// Options say which repository, and how to speak to it. URL and Dir are needed.
type Options struct {
	// URL is https://…, ssh://…, user@host:path, file:///…, or a path.
	// http:// is taken for loopback, and elsewhere with AllowInsecure.
	URL string
	// Dir is the folder of the bare store. It is created, and kept between
	// runs; it may be deleted, which costs a full fetch and every commit
	// that upstream no longer has. One Repository at a time may use it.
	Dir string

	User string // for HTTP "git" by default, for SSH what the URL says, else "git"
	// TokenFile holds the HTTP password or token. It is read at every use, so
	// it may be replaced. Without it TokenEnv names an environment variable
	// with the token; where that is empty too, the URL's password is used,
	// or no credential at all.
	TokenFile string
	TokenEnv  string
	// Token, where it is set, gives the token instead, at every use. Refused is
	// told of one that the server does not take; it may be nil.
	Token   func() (string, error)
	Refused func(token string)

	SSHKeyFile     string // private key without passphrase; read at every use
	KnownHostsFile string // needed for SSH: hosts not in it are refused; read at every use
	CAFile         string // further certificate authorities for HTTPS, PEM; read at every use
	AllowInsecure  bool   // http:// to other machines
	// Files are told of the files above, and tell of those that were replaced by
	// something that cannot be used: what was before stays in use then. May be nil.
	Files *reread.Set

	Poll     time.Duration // how often Watch wakes at least; 1 minute by default
	Jitter   time.Duration // up to this much is added at random; a fifth of Poll by default
	Debounce time.Duration // how long Watch gathers changes; 50 ms by default
	Timeout  time.Duration // of one fetch or push; 5 minutes by default

	MaxPack   int64 // bytes received in one fetch; 1 GiB by default
	MaxObject int64 // bytes of one object; 128 MiB by default

	Author sources.Identity // of merge commits; "Mooring" by default
	// SigningKeyFile is a private SSH key without passphrase that signs merge
	// commits; read at every use. Without it they are not signed.
	SigningKeyFile string
	Now            func() time.Time // time.Now by default

	// Notice is told what goes on working less well than it should: file
	// watching that fell back to polling. nil drops it.
	Notice func(error)
}

func (o *Options) setDefaults() {
	orDuration := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	orDuration(&o.Poll, time.Minute)
	orDuration(&o.Jitter, o.Poll/5)
	orDuration(&o.Debounce, 50*time.Millisecond)
	orDuration(&o.Timeout, 5*time.Minute)
	if o.MaxPack == 0 {
		o.MaxPack = 1 << 30
	}
	if o.MaxObject == 0 {
		o.MaxObject = 128 << 20
	}
	if o.Author == (sources.Identity{}) {
		o.Author = sources.Identity{Name: "Mooring", Email: "mooring@localhost"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Notice == nil {
		o.Notice = func(error) {}
	}
}

func (o *Options) validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.URL == "" {
		fault("no URL")
	}
	if o.Dir == "" {
		fault("no Dir for the store")
	}
	if o.Poll < 0 || o.Jitter < 0 || o.Debounce < 0 || o.Timeout < 0 {
		fault("a negative duration")
	}
	if o.MaxPack < 0 || o.MaxObject < 0 {
		fault("a negative limit")
	}
	return errors.Join(faults...)
}
