package diagnose

import (
	"fmt"
	"io/fs"
	"net/url"
	"strings"
)

// Receiver is where alerts go, as far as it was tried without sending any.
type Receiver struct {
	Name    string
	Secrets []string // that were read: "url from env HOOK_URL"
	Unread  []string // that could not be, and why
	Files   []string // of those, that are not there
	Address string   // host:port that was connected to; "" where there is none
	Proxy   string   // through which; ""
	Err     error    // it could not be connected to
	Cloud   bool     // Address is a name of AWS's
	Unseen  bool     // looking at it is not allowed, which says nothing of sending
	Login   string   // as whom a mail server let us in; "" where that was not asked
	Why     string   // of Err, of a mail server: InTheOpen, NotLetIn, NotTrusted; "" of any other
}

// Why a mail server that answers takes no mail.
const (
	InTheOpen  = "in the open"
	NotLetIn   = "not let in"
	NotTrusted = "not trusted"
)

// ofMail is what to do about a mail server that answers and takes no mail.
var ofMail = map[string]string{
	InTheOpen:  "say `tls: implicit` in its email, with the port for that (usually 465), or `tls: none` where nobody can listen on the way",
	NotLetIn:   "put the account's password where email.password says, or correct email.username, and run the doctor again",
	NotTrusted: "have this machine trust the server's authority (update-ca-certificates), or name the server in email.server as its certificate does",
}

// OfReceiver judges a receiver.
func OfReceiver(r Receiver) []Check {
	secrets, reach := subject{"receiver-secrets", r.Name}, subject{"receiver-reach", r.Name}
	var out []Check
	switch {
	case len(r.Unread) > 0:
		out = append(out, unset(secrets, r.Unread, r.Files))
	case len(r.Secrets) == 0:
		out = append(out, secrets.ok("it needs none"))
	default:
		out = append(out, secrets.ok("readable: %s", strings.Join(r.Secrets, ", ")))
	}
	through := ""
	if r.Proxy != "" {
		through = " through the proxy " + r.Proxy
	}
	switch {
	case r.Address == "" && len(r.Unread) > 0:
		return append(out, reach.skipped("its address is not known"))
	case r.Address == "":
		return append(out, reach.skipped("it has no address that could be connected to"))
	case r.Unseen:
		return append(out, reach.skipped("%s may not be looked at (sns:GetTopicAttributes, events:DescribeEventBus); `mooring alert test %s` tries it", r.Address, r.Name))
	case r.Err != nil && r.Cloud:
		return append(out, reach.fault("check its name, region and account, and the daemon's own credentials; where it is not made yet, the command makes it", "%s is not found: %v", r.Address, r.Err).
			by(making(r.Address)))
	case r.Cloud:
		return append(out, reach.ok("%s is there; nothing was sent", r.Address))
	case r.Err != nil && ofMail[r.Why] != "":
		return append(out, reach.fault(ofMail[r.Why], "%s takes no mail: %v", r.Address, r.Err))
	case r.Login != "" && r.Err == nil:
		return append(out, reach.ok("%s answers and lets %s in; nothing was sent", r.Address, r.Login))
	case r.Err != nil:
		return append(out, reach.fault("check name, port, certificate and firewall from where the daemon runs", "%s does not answer%s: %v", r.Address, through, r.Err))
	}
	return append(out, reach.ok("%s answers%s; nothing was sent", r.Address, through))
}

// Secrets are what of mooring.yaml is read from files and the environment, but
// for hosts and receivers.
type Secrets struct {
	Read   int
	Unread []string // path in mooring.yaml, and why
	Files  []string // of those, that are not there
}

// OfSecrets judges them.
func OfSecrets(s Secrets) Check {
	at := subject{name: "secrets"}
	switch {
	case len(s.Unread) > 0:
		return unset(at, s.Unread, s.Files)
	case s.Read == 0:
		return at.ok("mooring.yaml names none but those of the host and of receivers")
	}
	return at.ok("%s of checks, measures and issuers can be read", counted(s.Read, "secret"))
}

// unset is what to do about secrets that cannot be read.
func unset(s subject, why, files []string) Check {
	found := strings.Join(why, "; ")
	if len(files) == 0 {
		return s.fault("set them where the daemon runs (`systemctl edit mooring`: Environment=NAME=…; chart: extraEnv), and run the doctor with the daemon's environment", "%s", found)
	}
	return s.fault("write each into its file; the commands read it from standard input: paste it, end with Ctrl-D", "%s", found).by(writing(files))
}

// writing makes files that nobody else may read, of what is typed.
func writing(files []string) string {
	var out []string
	for _, f := range files {
		out = append(out, "install -D -m 0600 /dev/stdin "+Quoted(f))
	}
	return strings.Join(out, " && ")
}

// making makes the topic of an ARN, or the bus of a name or ARN.
func making(address string) string {
	region, name := "", address
	if parts := strings.SplitN(address, ":", 6); len(parts) == 6 {
		region, name = parts[3], strings.TrimPrefix(parts[5], "event-bus/")
		if parts[2] == "sns" && strings.HasSuffix(name, ".fifo") {
			return aws(region, "sns", "create-topic", "--name", name, "--attributes", "FifoTopic=true")
		} else if parts[2] == "sns" {
			return aws(region, "sns", "create-topic", "--name", name)
		}
	}
	return aws(region, "events", "create-event-bus", "--name", name)
}

// State is the folder of the daemon's memory.
type State struct {
	Dir        string
	Missing    bool
	Err        error    // it cannot be written, or not be made
	Above      string   // the folder above, where that keeps it from being made
	NoFolder   bool     // something else stands there
	User       string   // this process's, whom the folder has to belong to
	Caches     []string // of it, which are fetched again
	Mode       fs.FileMode
	Loose      []string // files of it that others may read
	Journal    string   // "", "open", "none" or "used"
	JournalErr error
	Free       uint64 // bytes; where FreeKnown
	FreeKnown  bool
}

const (
	littleFree, noFree = 1 << 30, 64 << 20 // bytes
	othersMay          = fs.FileMode(0o077)
)

// OfState judges the state folder.
func OfState(st State) []Check {
	folder, journal, disk := subject{name: "state-folder"}, subject{name: "journal"}, subject{name: "disk"}
	var out []Check
	switch {
	case st.NoFolder:
		return append(out, folder.fault("name a folder with --state", "%s is a file", st.Dir), journal.skipped("there is no folder"), disk.skipped("there is no folder"))
	case st.Missing && st.Err != nil:
		return append(out, folder.fault("make it", "%s is not there, and cannot be made in %s: %v", st.Dir, st.Above, st.Err).
			by("sudo install -d -m 0700 -o "+Quoted(st.User)+" "+Quoted(st.Dir)), journal.skipped("there is none yet"), disk.skipped("there is no folder yet"))
	case st.Missing:
		return append(out, folder.ok("%s is not there yet; `mooring run` makes it", st.Dir), journal.skipped("there is none yet"), disk.skipped("there is no folder yet"))
	case st.Err != nil:
		out = append(out, folder.fault("run the doctor as the daemon's user, name another folder with --state, or let this user write it", "%s cannot be written by %s: %v", st.Dir, st.User, st.Err).
			by("sudo chown -R "+Quoted(st.User)+" "+Quoted(st.Dir)+" && sudo chmod 700 "+Quoted(st.Dir)))
	case st.Mode.Perm()&othersMay != 0 || len(st.Loose) > 0:
		out = append(out, folder.warning("keep them out", "others on this machine may look into it: %s", loose(st)).by(closing(st)))
	default:
		out = append(out, folder.ok("%s can be written, and others may not look into it", st.Dir))
	}
	switch {
	case st.JournalErr != nil:
		out = append(out, journal.fault("put a backup in its place, or move it away: docs/operations.md, \"What it keeps\"; the command moves it away, and the daemon begins a new one by looking", "%v", st.JournalErr).
			by("mv "+Quoted(st.Dir+"/journal.db")+" "+Quoted(st.Dir+"/journal.db.damaged")))
	case st.Journal == "used":
		out = append(out, journal.ok("a daemon has it open"))
	case st.Journal == "none":
		out = append(out, journal.ok("there is none yet"))
	case st.Journal == "open":
		out = append(out, journal.ok("it opens; no daemon has it open"))
	default:
		out = append(out, journal.skipped("it was not tried"))
	}
	return append(out, ofDisk(disk, st))
}

// closing shuts others out of what they may look into.
func closing(st State) string {
	command := "chmod 700 " + Quoted(st.Dir)
	for _, name := range st.Loose {
		command += " && chmod 600 " + Quoted(st.Dir+"/"+name)
	}
	return command
}

func loose(st State) string {
	if st.Mode.Perm()&othersMay != 0 {
		return fmt.Sprintf("%s has mode %04o", st.Dir, st.Mode.Perm())
	}
	return strings.Join(st.Loose, ", ")
}

func ofDisk(s subject, st State) Check {
	const remedy = "make room: the journal cannot be written on a full disk, and then nothing is released or put back"
	free := fmt.Sprintf("%.1f GiB are free", float64(st.Free)/(1<<30))
	switch {
	case !st.FreeKnown:
		return s.skipped("how much is free cannot be told here")
	case st.Free < noFree:
		return s.fault(remedy, "%s", free).by(emptying(st))
	case st.Free < littleFree:
		return s.warning(remedy, "%s", free).by(emptying(st))
	}
	return s.ok("%s", free)
}

// emptying takes away what is fetched again, or shows what is there.
func emptying(st State) string {
	if len(st.Caches) == 0 {
		return "du -ahx " + Quoted(st.Dir) + " | sort -h | tail"
	}
	command := "rm -rf"
	for _, name := range st.Caches {
		command += " " + Quoted(st.Dir+"/"+name)
	}
	return command
}

// OfZones judges the time zone data that windows and schedules need.
func OfZones(zones int, unknown []string) Check {
	s := subject{name: "time-zones"}
	if len(unknown) > 0 {
		return s.fault("correct the name (docs of the IANA time zones), or install tzdata", "not known here: %s", strings.Join(unknown, ", "))
	}
	return s.ok("%s looked up", counted(zones, "zone"))
}

// Daemon is what a running daemon said of itself.
type Daemon struct {
	Server string
	Asked  bool  // by name: it should be there
	Err    error // it did not answer
	// Stranger: what answers is no mooring; Pipeline is whose daemon it says it is,
	// "" where it has read none yet, and Wanted the pipeline that is diagnosed, "" where
	// that is not known.
	Stranger bool
	// Unproved: what answers did not prove that it knows the token, and was not
	// asked anything.
	Unproved         bool
	Pipeline, Wanted string
	// Troubled are environments whose last pass failed, with the error.
	Troubled []string
	Environs int
}

// Other: what answers is not the daemon that is looked for.
func (d Daemon) Other() bool {
	return d.Stranger || d.Wanted != "" && d.Pipeline != "" && d.Pipeline != d.Wanted
}

// who is what answers, where it is another.
func (d Daemon) who() string {
	if d.Stranger {
		return "is no mooring"
	}
	return fmt.Sprintf("is the daemon of pipeline %s, and this one is %s", d.Pipeline, d.Wanted)
}

// listening shows what listens at an address's port, and whose it is.
func listening(server string) string {
	port := "80"
	if u, err := url.Parse(server); err == nil && u.Port() != "" {
		port = u.Port()
	}
	return "sudo ss -ltnp 'sport = :" + port + "'"
}

// OfDaemon judges a daemon.
func OfDaemon(at Place, d Daemon) Check {
	s := subject{name: "daemon"}
	switch {
	case d.Err != nil && d.Asked:
		return s.fault("start it with `mooring run`, or correct --server; its token comes from MOORING_TOKEN or the state folder", "%v", d.Err)
	case d.Err != nil:
		return s.skipped("none answers at %s: %v", d.Server, d.Err)
	case d.Unproved:
		return s.fault("see what listens there, and stop it; where it is the daemon all the same, with another state folder, name that with --state", "what listens at %s did not prove that it is the daemon of this state folder: the token was not sent to it", d.Server).
			by(listening(d.Server))
	case d.Other() && d.Asked:
		return s.fault("correct --server", "what answers at %s %s", d.Server, d.who())
	case d.Other():
		return s.skipped("what answers at %s %s: name the daemon with --server", d.Server, d.who())
	case len(d.Troubled) > 0:
		return s.fault("see what it says of each, and the daemon's log", "%s", some(d.Troubled, "; ")).by(at.daemon("status"))
	}
	if d.Pipeline != "" {
		return s.ok("%s answers for pipeline %s, with %s", d.Server, d.Pipeline, counted(d.Environs, "environment"))
	}
	return s.ok("%s answers, with %s", d.Server, counted(d.Environs, "environment"))
}
