package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"
)

// outputFlag adds -o to a command.
func outputFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVarP(into, "output", "o", "table", "table, json or yaml")
}

// print writes v as the flag asks; table writes it for people.
func print(cmd *cobra.Command, format string, v any, table func(w io.Writer)) error {
	out := cmd.OutOrStdout()
	switch format {
	case "json":
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	case "yaml":
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		var plain any
		if err := json.Unmarshal(text, &plain); err != nil {
			return err
		}
		text, err = yaml.Marshal(plain)
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	case "table", "":
		width, _ := terminalSize(os.Stdout)
		w := layout{out: out, width: width}
		table(&w)
		return w.Flush()
	}
	return fmt.Errorf("-o %q: want table, json or yaml", format)
}

// row writes one line of a table.
func row(w io.Writer, cells ...any) {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = inOneLine(fmt.Sprint(c))
	}
	fmt.Fprintln(w, strings.Join(texts, "\t"))
}

// inOneLine keeps lines apart that are several reasons.
func inOneLine(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines[:len(lines)-1] {
		if line = strings.TrimRight(line, " "); line != "" && !strings.ContainsAny(line[len(line)-1:], ":;,.") {
			lines[i] = line + ";"
		}
	}
	return strings.Join(lines, " ")
}

// counted is so many of a thing: 1 item, 2 items.
func counted[N int | int64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// short is a digest or commit as people see it.
func short(digest string) string {
	digest = strings.TrimPrefix(digest, "sha256:")
	return digest[:min(12, len(digest))]
}

// mostOfValue is how many bytes of a value a table shows; -o json has the whole.
const mostOfValue = 160

// jsonText is a value as people see it in a diff.
func jsonText(v any) string {
	if v == nil {
		return "-"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(text) > mostOfValue {
		return strings.ToValidUTF8(string(text[:mostOfValue]), "") + "…"
	}
	return string(text)
}

// colour wraps text for a terminal that wants it.
func colour(code, text string) string {
	if os.Getenv("NO_COLOR") != "" || !isTerminal(os.Stdout) {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
