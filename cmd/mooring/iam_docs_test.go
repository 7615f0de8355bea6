package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mooring.dev/providers/aws"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/providers/aws/sandbox"
)

// TestSecurityRights: the table in docs is that of the rows.
func TestSecurityRights(t *testing.T) {
	path := filepath.Join(moduleRoot(t), "docs", "security.md")
	text, err := os.ReadFile(path)
	check(t, err)
	block := regexp.MustCompile(`(?s)<!-- rights -->\n.*<!-- /rights -->`)
	if !block.Match(text) {
		t.Fatal("docs/security.md has no place for the rights")
	}
	want := block.ReplaceAllLiteral(text, []byte("<!-- rights -->\n"+rightsTable()+"<!-- /rights -->"))
	if *updateDocs {
		check(t, os.WriteFile(path, want, 0o644))
	} else if string(text) != string(want) {
		t.Error("docs/security.md is not what the rows say: go test ./cmd/mooring -run TestSecurityRights -update-docs")
	}
}

func rightsTable() string {
	var b strings.Builder
	b.WriteString("| capability | kind | actions | narrowed to | |\n|---|---|---|---|---|\n")
	for _, c := range rights.All() {
		for _, g := range aws.Grants(rights.Scope{}, aws.AnySettings(), []rights.Capability{c}) {
			kind := g.Kind
			if kind == "" {
				kind = "every environment"
			}
			on := "nothing"
			if !slices.Contains(g.Resources, rights.Everything) {
				on = "`" + strings.Join(g.Resources, "` `") + "`"
			}
			fmt.Fprintf(&b, "| %s | %s | `%s` | %s | %s |\n", c, kind, strings.Join(g.Actions, "` `"), on, g.Why)
		}
	}
	return b.String()
}

// readmeRights is the README's block about rights.
func readmeRights(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(moduleRoot(t), "README.md"))
	check(t, err)
	for _, m := range regexp.MustCompile("(?s)```text\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		if strings.Contains(m[1], "mooring iam") {
			return m[1]
		}
	}
	t.Fatal("README.md says nothing of mooring iam")
	return ""
}

// TestReadmeRights runs what the README says about a real account, on a
// sandbox that holds roles to their policies: the daemon's own identity may do
// what calling.json says, the role what policy.json says, and that is enough to
// bring a repository in force.
func TestReadmeRights(t *testing.T) {
	t.Parallel()
	needWitness(t, "aws")
	box, err := sandbox.New(sandbox.Options{Policies: true})
	check(t, err)
	check(t, box.Start(t.Context()))
	t.Cleanup(func() { check(t, box.Close()) })
	work := t.TempDir()
	repo := filepath.Join(work, "shop.git")
	script := "set -euo pipefail\nexport PATH=" + filepath.Dir(program(t)) + ":$PATH\n" + rightsRepository +
		strings.NewReplacer("https://git.example.com/shop.git", repo, "user/daemon", "role/daemon").Replace(readmeRights(t)) + rightsInUse
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = work
	plain := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	cmd.Env = append(plain, "AWS_ENDPOINT_URL="+box.URL(), "AWS_ACCESS_KEY_ID=admin", "AWS_SECRET_ACCESS_KEY=any",
		"AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "REPO="+repo)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	seen := map[string]bool{}
	for _, c := range box.Calls(box.Now().AddDate(-1, 0, 0)) {
		if strings.HasPrefix(c.ErrorCode, "AccessDenied") {
			t.Errorf("%s was refused %s:%s", c.Actor.Name, c.Service, c.Operation)
		}
		if strings.HasPrefix(c.Actor.Name, "assumed-role/mooring-preview/") {
			seen[c.Operation] = true
		}
	}
	for _, made := range []string{"CreateQueue", "CreateTopic", "CreateRole", "GetResources"} {
		if !seen[made] {
			t.Errorf("the role made no %s, but %v", made, seen)
		}
	}
}

// rightsRepository is a small repository whose environment names a role.
const rightsRepository = `
git init -q -b main shop
cat > shop/mooring.yaml <<'END'
apiVersion: mooring.dev/v1
kind: Pipeline
metadata: {name: shop}
spec:
  environments:
    - name: preview
      provider: {aws: {region: eu-west-1, account: "111111111111", roleArn: "arn:aws:iam::111111111111:role/mooring-preview", externalId: shop-4711, sessionTags: {team: shop}}}
END
as() { git -C shop -c user.name=dev -c user.email=dev@shop.example "$@"; }
as add -A; as commit -qm 'The pipeline'
as checkout -q --orphan env/preview; as rm -qrf .
cat > shop/shop.yaml <<'END'
apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: orders}
---
apiVersion: mooring.dev/v1
kind: Topic
metadata: {name: news}
---
apiVersion: mooring.dev/v1
kind: Role
metadata: {name: worker}
spec:
  assumeRolePolicy: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]}
END
as add -A; as commit -qm 'The shop'
git clone -q --bare shop "$REPO"
`

// rightsInUse gives the daemon an identity with calling.json, and runs it.
const rightsInUse = `
aws iam create-role --role-name daemon --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}' >/dev/null
aws iam put-role-policy --role-name daemon --policy-name calling --policy-document file://calling.json
eval "$(aws sts assume-role --role-arn arn:aws:iam::111111111111:role/daemon --role-session-name host --output text \
  --query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]' |
  { read -r key secret token; echo "export AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$secret AWS_SESSION_TOKEN=$token"; })"
mooring run --once --repo "$REPO" --state state --listen 127.0.0.1:0
mooring drift --repo "$REPO" --environment preview
`
