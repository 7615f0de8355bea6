package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestInsecureLoopbackOfTheProgram: the real program lets everybody in on this
// machine alone. It does not begin on an address of the network, by number or by
// name, and a name that was made to lead here, or a proxy, opens nothing.
func TestInsecureLoopbackOfTheProgram(t *testing.T) {
	t.Parallel()
	s := openStage(t)
	s.repository(killStages, func(string) { s.write("shop/README.md", "No function yet.\n") })
	s.begin()
	ask := func(host string, headers map[string]string) int {
		r, err := http.NewRequest(http.MethodGet, "http://"+s.listen+"/api/v1/status", nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			r.Host = host
		}
		for name, value := range headers {
			r.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	s.poll("open to this machine", func() bool { return ask("", nil) == http.StatusOK })
	_, port, err := net.SplitHostPort(s.listen)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask("localhost:"+port, nil); got != http.StatusOK {
		t.Errorf("localhost: %d", got)
	}
	for _, host := range []string{"evil.example:" + port, "evil.example", "0.0.0.0:" + port, "127.0.0.1.evil.example:" + port} {
		if got := ask(host, nil); got != http.StatusUnauthorized {
			t.Errorf("for %s: %d", host, got)
		}
	}
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"} {
		if got := ask("", map[string]string{name: "127.0.0.1"}); got != http.StatusUnauthorized {
			t.Errorf("with %s: %d", name, got)
		}
	}

	program, err := exec.LookPath("mooring")
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range append([]string{"0.0.0.0", "::"}, beyond(t)...) {
		cmd := exec.Command(program, "run", "--repo", s.path("shop.git"), "--state", s.path("second"), "--listen", net.JoinHostPort(host, "0"), "--insecure-loopback")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "--insecure-loopback") {
			t.Errorf("on %s: %v\n%s", host, err, out)
		}
	}
}

// beyond are this machine's addresses and names in the network.
func beyond(t *testing.T) (out []string) {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			out = append(out, n.IP.String())
		}
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	found, err := net.LookupHost(name)
	if err != nil || len(found) == 0 || net.ParseIP(found[0]).IsLoopback() {
		return out // its name leads to itself, or nowhere
	}
	return append(out, name)
}
