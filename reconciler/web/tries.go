package web

import (
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

const (
	// triesMost is how many logins may fail from one address in triesIn.
	triesMost = 30
	triesIn   = time.Minute
	// triesFrom bounds how many addresses are told apart.
	triesFrom = 10_000
)

// tries counts the logins that failed, by where they came from.
type tries struct {
	mu    sync.Mutex
	begun time.Time
	of    map[string]int
}

// failed counts one.
func (t *tries) failed(r *http.Request, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn(now)
	from := origin(r)
	if _, known := t.of[from]; !known && len(t.of) >= triesFrom {
		from = ""
	}
	t.of[from]++
}

// wait is how long nobody is let in from there; 0 when they are.
func (t *tries) wait(r *http.Request, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn(now)
	from := origin(r)
	if _, known := t.of[from]; !known && len(t.of) >= triesFrom {
		from = ""
	}
	if t.of[from] < triesMost {
		return 0
	}
	return t.begun.Add(triesIn).Sub(now)
}

func (t *tries) turn(now time.Time) {
	if t.of == nil || now.Sub(t.begun) >= triesIn || now.Before(t.begun) {
		t.of, t.begun = map[string]int{}, now
	}
}

// origin is where a connection comes from; of IPv6 the network, since one machine
// has all of its addresses. What headers say of it is anybody's text.
func origin(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	network, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return network.String()
}

// seconds of a wait, rounded up, as Retry-After has them.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}
