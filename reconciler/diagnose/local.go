package diagnose

import (
	"fmt"
	"io/fs"
	"strings"
)

// Receiver is where alerts go, as far as it was tried without sending any.
type Receiver struct {
	Name    string
	Secrets []string // that were read: "url from env HOOK_URL"
	Unread  []string // that could not be, and why
	Address string   // host:port that was connected to; "" where there is none
	Proxy   string   // through which; ""
	Err     error    // it could not be connected to
}

// OfReceiver judges a receiver.
func OfReceiver(r Receiver) []Check {
	secrets, reach := subject{"receiver-secrets", r.Name}, subject{"receiver-reach", r.Name}
	var out []Check
	switch {
	case len(r.Unread) > 0:
		out = append(out, secrets.fault("set them where the daemon runs, and run `mooring doctor` with the daemon's environment", "%s", strings.Join(r.Unread, "; ")))
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
	case r.Err != nil:
		return append(out, reach.fault("check name, port, certificate and firewall from where the daemon runs", "%s does not answer%s: %v", r.Address, through, r.Err))
	}
	return append(out, reach.ok("%s answers%s; nothing was sent", r.Address, through))
}

// State is the folder of the daemon's memory.
type State struct {
	Dir        string
	Missing    bool
	Err        error // it cannot be written
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
	case st.Missing:
		return append(out, folder.ok("%s is not there yet; `mooring run` makes it", st.Dir), journal.skipped("there is none yet"), disk.skipped("there is no folder yet"))
	case st.Err != nil:
		out = append(out, folder.fault("let the daemon's user write it: `chown -R USER "+st.Dir+"`, or name another with --state", "%s cannot be written: %v", st.Dir, st.Err))
	case st.Mode.Perm()&othersMay != 0 || len(st.Loose) > 0:
		out = append(out, folder.warning("`chmod 700 "+st.Dir+" && chmod 600 "+st.Dir+"/token*`", "others on this machine may look into it: %s", loose(st)))
	default:
		out = append(out, folder.ok("%s can be written, and others may not look into it", st.Dir))
	}
	switch {
	case st.JournalErr != nil:
		out = append(out, journal.fault("put a backup in its place, or move it away: docs/operations.md, \"What it keeps\"", "%v", st.JournalErr))
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
		return s.fault(remedy, "%s", free)
	case st.Free < littleFree:
		return s.warning(remedy, "%s", free)
	}
	return s.ok("%s", free)
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
	// Troubled are environments whose last pass failed, with the error.
	Troubled []string
	Environs int
}

// OfDaemon judges a daemon.
func OfDaemon(d Daemon) Check {
	s := subject{name: "daemon"}
	switch {
	case d.Err != nil && d.Asked:
		return s.fault("start it with `mooring run`, or correct --server; its token comes from MOORING_TOKEN or the state folder", "%v", d.Err)
	case d.Err != nil:
		return s.skipped("none answers at %s", d.Server)
	case len(d.Troubled) > 0:
		return s.fault("`mooring status`, and the daemon's log", "%s", some(d.Troubled, "; "))
	}
	return s.ok("%s answers, with %s", d.Server, counted(d.Environs, "environment"))
}
