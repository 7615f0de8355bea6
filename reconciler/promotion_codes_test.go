package reconciler

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// docs/promotion.md names every code for which content waits, and none that
// there is not.
func TestPromotionCodesAreDocumented(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	find := func(text, pattern string) (out []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			out = append(out, m[1])
		}
		return out
	}
	// In promote a code is what is returned before a reason.
	codes := find(read("promote/next.go"), `return "([a-zA-Z]+)", `)
	codes = append(codes, find(read("promote/next.go"), `code = "([a-zA-Z]+)"`)...)
	codes = append(codes, find(read("promote/promote.go"), `const Code[A-Z][a-z]+ = "([a-zA-Z]+)"`)...)
	for _, name := range []string{"promotion.go", "offer.go", "weigh.go", "signatures.go"} {
		text := read(name)
		codes = append(codes, find(text, `Code = .*, "([a-zA-Z]+)"`)...)
		codes = append(codes, find(text, `p\.waits = "([a-zA-Z]+)"`)...)
		codes = append(codes, find(text, `return "([a-zA-Z]+)", (?:"|fmt)`)...)
		codes = append(codes, find(text, `const code.* = "([a-zA-Z]+)"`)...)
		codes = append(codes, find(text, `const code.*, "([a-zA-Z]+)"`)...)
	}
	var told []string
	for _, row := range find(read("../docs/promotion.md"), "(?m)^\\| ((?:`[a-zA-Z]+`(?:, )?)+) \\|") {
		for _, code := range find(row, "`([a-zA-Z]+)`") {
			if !regexp.MustCompile(`^(invoke|http|alarm|prometheus|verdict)$`).MatchString(code) {
				told = append(told, code)
			}
		}
	}
	for _, list := range []*[]string{&codes, &told} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	if len(codes) < 15 || !slices.Equal(codes, told) {
		t.Errorf("the code says\n%v\nthe page\n%v", codes, told)
	}
}
