package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mooring.dev/providers/aws/sandbox"
)

// imageTree makes the files of the Dockerfile's last stage, by its own
// instructions, and tells its environment, user, volume and entry point.
func imageTree(t *testing.T, root string) (env []string, user, volume, entry string) {
	t.Helper()
	const staging = "/root-of-image"
	// What the image takes from its build, and where that is here.
	from := map[string]string{
		"/src/bin/mooring":                   program(t),
		"/etc/ssl/certs/ca-certificates.crt": "/etc/ssl/certs/ca-certificates.crt",
	}
	stage := 0
	for _, in := range instructions(t) {
		switch in[0] {
		case "FROM":
			stage++
		case "RUN":
			if strings.Contains(in[1], staging) {
				shell(t, strings.ReplaceAll(in[1], staging, root))
			}
		case "COPY":
			f := strings.Fields(in[1])
			if stage == 1 || f[1] == staging {
				continue
			}
			here, known := from[f[1]]
			if !known {
				t.Fatalf("COPY %s: the test does not know %s", in[1], f[1])
			}
			shell(t, "mkdir -p "+filepath.Dir(root+f[2])+" && cp "+here+" "+root+f[2])
		case "ENV":
			env = append(env, strings.Fields(in[1])...)
		case "USER":
			user = in[1]
		case "VOLUME":
			volume = in[1]
		case "ENTRYPOINT":
			entry = strings.Trim(in[1], `["]`)
		}
	}
	return env, user, volume, entry
}

func shell(t *testing.T, script string) {
	t.Helper()
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// TestLesson81TheImageRuns: what the Dockerfile puts together deploys a
// repository, as its own user, on a root that cannot be written, with nothing
// else there but what every container is given.
func TestLesson81TheImageRuns(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("unshare", "--mount", "sh", "-ec", "mount -t tmpfs none /mnt").CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("a container's file system cannot be made, and in CI every witness has to be: %v: %s", err, out)
		}
		t.Skipf("a container's file system cannot be made here, which takes a right of root's: %v: %s", err, out)
	}
	box, err := sandbox.New(sandbox.Options{})
	check(t, err)
	check(t, box.Start(context.Background()))
	t.Cleanup(func() { check(t, box.Close()) })
	root, repo := t.TempDir(), filepath.Join(t.TempDir(), "shop")
	env, user, volume, entry := imageTree(t, root)
	if out, err := exec.Command("mooring", "init", repo).CombinedOutput(); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	shell(t, "mkdir "+root+"/proc "+root+"/shop && chmod -R a+rX "+repo+" && chmod a+rx "+root)
	uid, gid, _ := strings.Cut(user, ":")
	contained := exec.Command("unshare", "--mount", "sh", "-ec", `
mount --bind `+root+` `+root+`
mount --bind `+repo+` `+root+`/shop
mount -o remount,ro,bind `+root+`/shop
mount -o remount,ro,bind `+root+`
mount -t proc proc `+root+`/proc
mount -t tmpfs -o mode=1777 tmpfs `+root+`/tmp
mount -t tmpfs -o mode=0700,uid=`+uid+`,gid=`+gid+` tmpfs `+root+volume+`
exec env -i "$@" "$(command -v chroot)" --userspec=`+user+` `+root+` `+entry+` run --once --timeout 2m --repo /shop --artifacts /shop/artifacts`, "container")
	contained.Args = append(contained.Args, env...)
	contained.Args = append(contained.Args, "AWS_ENDPOINT_URL="+box.URL(), "AWS_ACCESS_KEY_ID=mooring", "AWS_SECRET_ACCESS_KEY=any", "AWS_REGION=eu-west-1", "AWS_EC2_METADATA_DISABLED=true")
	out, err := contained.CombinedOutput()
	if err != nil || strings.Count(string(out), "in_sync") != 3 {
		t.Fatalf("%v\n%s", err, out)
	}
}
