package aws

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"mooring.dev/providers/providertest"
	"mooring.dev/sources/manifest"
)

// motoDiffers is where moto 5.2 is known not to do what AWS does, and so
// cannot testify, with the reason. Options.Emulator adapts to what would
// otherwise keep a daemon from settling.
var motoDiffers = map[string]string{
	"Topic signatureVersion": "it keeps no SignatureVersion",
}

// motoSilent is what moto 5.2 cannot be asked, so that it is told as not read.
var motoSilent = map[string]string{
	"Function recursiveLoop": "it has no GetFunctionRecursionConfig",
}

// motoBreaks are promises moto cannot be held to.
var motoBreaks = map[string]string{
	"RouteKeepsItsGuard": "the RevisionId of an alias never changes, and a stale one is accepted",
}

// startMoto runs moto_server on a free port for one test. Without moto the
// test is skipped, in CI it fails.
func startMoto(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("moto_server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("moto_server is not installed, and this is CI")
		}
		t.Skip("moto_server is not installed: pip install 'moto[server]'")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-H", "127.0.0.1", "-p", fmt.Sprint(port))
	cmd.Env = append(os.Environ(), "MOTO_ACCOUNT_ID="+testAccount)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	endpoint := fmt.Sprintf("http://127.0.0.1:%d", port)
	awaitAnswer(t, endpoint+"/moto-api/data.json")
	return endpoint
}

func awaitAnswer(t *testing.T, url string) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for time.Now().Before(deadline) {
		response, err := http.Get(url)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(100 * time.Millisecond) // another process starts: nothing else tells
	}
	t.Fatal("moto_server did not answer within a minute")
}

func TestMotoAsWitness(t *testing.T) {
	endpoint, tells := startMoto(t), &testimony{}
	world := func(t *testing.T, environment string) *world {
		o := testOptions(t, endpoint)
		o.Emulator, o.Environment = "moto", environment
		w := newWorld(t, o)
		w.tells, w.fixed = tells, motoDiffers
		return w
	}
	t.Run("shop", func(t *testing.T) {
		w := world(t, "preview")
		all := w.shop("preview")
		w.converge(all)
		w.inPlace(all)
	})
	t.Run("switch", func(t *testing.T) { // which it keeps, and never lets act
		w := world(t, "preview")
		switchTests(t, w, find(t, w.shop("preview"), "Alias/checkout.live"), newSwitchRole(t, w.o.Config, "deadman", "scheduler.amazonaws.com", mayMove))
	})
	t.Run("api", func(t *testing.T) { witnessAPI(world(t, "apis")) })
	t.Run("alarm", func(t *testing.T) { witnessAlarm(world(t, "alarms")) })
	t.Run("layer", func(t *testing.T) {
		w := world(t, "layers")
		layerTests(t, w)
		all := []manifest.Resource{w.layer("last")}
		all[0].Physical = "layers-last"
		w.converge(all)
		w.inPlace(all)
	})
	t.Run("secret and parameter", func(t *testing.T) { witnessNamed(world(t, "named")) })
	t.Run("log group", func(t *testing.T) { witnessLogGroup(world(t, "logs")) })
	t.Run("workflow", func(t *testing.T) { workflowOnMoto(t, world(t, "preview")) })
	t.Run("stores", func(t *testing.T) {
		w := world(t, "stores")
		all := w.stores("stores")
		w.converge(all)
		w.inPlace(all)
	})
	t.Run("messaging", func(t *testing.T) {
		w := world(t, "preview")
		all := w.messaging("news")
		w.converge(all)
		w.inPlace(all)
	})
	t.Run("every kind", func(t *testing.T) { tells.check(t, world(t, "gaps")) })
	count := 0
	providertest.Run(t, providertest.Options{Differences: motoBreaks, Patience: 5, New: func(t *testing.T) *providertest.Platform {
		count++
		w := world(t, fmt.Sprint("e", count))
		return contracted(w, world(t, fmt.Sprint("o", count)), testOptions(t, endpoint).Config)
	}})
}
