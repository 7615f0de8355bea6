package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// shellFile is what a second terminal sources to play along: addresses, the
// credentials of somebody called alice, and a function that releases.
const shellFile = "env.sh"

// writeShell writes the file into the demo's folder.
func (st *stage) writeShell() (string, error) {
	var b strings.Builder
	for _, v := range [][2]string{
		{"MOORING_SERVER", "http://" + st.daemon.address}, {"MOORING_STATE", filepath.Join(st.dir, "state")},
		{"AWS_ENDPOINT_URL", st.cloud.url()}, {"AWS_REGION", region}, {"AWS_DEFAULT_REGION", region},
		{"AWS_ACCESS_KEY_ID", keyAlice}, {"AWS_SECRET_ACCESS_KEY", "any"}, {"AWS_EC2_METADATA_DISABLED", "true"}, {"AWS_PAGER", ""},
		{"SHOP", st.repo.work}, {"PATH", filepath.Dir(st.o.Binary) + `:$PATH`},
	} {
		fmt.Fprintf(&b, "export %s=\"%s\"\n", v[0], v[1])
	}
	b.WriteString("\n# release VERSION: point checkout at another build, commit and push.\nrelease() {\n\tcase \"$1\" in\n")
	for _, r := range recipes {
		if r.function != "checkout" {
			continue
		}
		build := st.repo.builds["checkout-"+r.version]
		fmt.Fprintf(&b, "\t%s) file=%s digest=%s ;;\n", r.version, build.file, build.digest)
	}
	b.WriteString(`	*) echo "release: no such version: $1" >&2; return 1 ;;
	esac
	git -C "$SHOP" checkout --quiet env/preview &&
	sed -i "s|uri: file:.*|uri: file:$file|; s|digest: sha256:.*|digest: $digest|" "$SHOP/functions/checkout.yaml" &&
	git -C "$SHOP" commit --quiet -a -m "checkout $1" &&
	git -C "$SHOP" push --quiet
}
`)
	path := filepath.Join(st.dir, shellFile)
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	return path, nil
}
