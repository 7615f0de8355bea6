package main

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestImportOnMoto: the same account on an AWS that is not ours. Moto lists no
// URLs and no asynchronous configurations, so these two are not looked for.
func TestImportOnMoto(t *testing.T) {
	t.Parallel()
	needWitness(t, "moto_server")
	address, err := freeAddress()
	check(t, err)
	host, port, _ := strings.Cut(address, ":")
	cmd := exec.Command("moto_server", "-H", host, "-p", port)
	cmd.Env = append(cmd.Environ(), "MOTO_ACCOUNT_ID=111111111111", "MOTO_IAM_LOAD_MANAGED_POLICIES=true")
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	url := "http://" + address
	awaitMoto(t, url)
	a := accountAt(t, url)
	a.furnish()
	dir := filepath.Join(t.TempDir(), "shop")
	moto := []string{"--emulator", "moto", "--cloudwatch-protocol", "json"}
	if out, code := a.mooring(append([]string{"import", "--to", dir, "--all"}, moto...)...); code != exitDone {
		t.Fatalf("import: exit %d: %s", code, out)
	}
	if p := a.plan(dir, moto...); p.Outcome != "in_sync" || len(p.Adopt) != 5 {
		t.Errorf("the plan right after is %s: %+v, adopts %v", p.Outcome, p.Steps, p.Adopt)
	}
}

func awaitMoto(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); {
		response, err := http.Get(url + "/moto-api/data.json")
		if err == nil {
			check(t, response.Body.Close())
			response, err = http.Post(url+"/moto-api/config", "application/json", strings.NewReader(`{"lambda":{"use_docker":false}}`))
			check(t, err)
			check(t, response.Body.Close())
			return
		}
		time.Sleep(100 * time.Millisecond) // another process starts: nothing else tells
	}
	t.Fatal("moto_server did not answer within a minute")
}
