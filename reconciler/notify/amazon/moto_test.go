package amazon_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Another AWS than ours takes the same messages: a topic with a filter, and a
// bus with a rule.
func TestOnMoto(t *testing.T) {
	program, err := exec.LookPath("moto_server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("moto_server is not installed, and this is CI")
		}
		t.Skip("moto_server is not installed: pip install 'moto[server]'")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // the server takes it over
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(program, "-H", "127.0.0.1", "-p", port)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	const account = "123456789012"
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get("http://" + address + "/moto-api/data.json")
		if err == nil {
			_ = resp.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("moto_server did not answer: %v", err)
		}
	}
	t.Run("topic", func(t *testing.T) { tellTopic(t, "http://"+address, account) })
	resp, err := http.Post("http://"+address+"/moto-api/reset", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Run("bus", func(t *testing.T) { tellBus(t, "http://"+address, account) })
}
