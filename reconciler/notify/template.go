package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"text/template"
)

// Template makes the body of a webhook for a receiver with a form of its own.
type Template struct {
	body        *template.Template
	contentType string
}

// maxTemplated is the longest body a template may make.
const maxTemplated = 1 << 20

// ParseTemplate reads a text/template over an Event. Beside its fields there
// is json, which writes any of them as JSON. A field that does not exist is an
// error here and not at night.
func ParseTemplate(text, contentType string) (*Template, error) {
	t, err := template.New("template").Option("missingkey=zero").Funcs(template.FuncMap{"json": func(v any) (string, error) {
		out, err := json.Marshal(v)
		return string(out), err
	}}).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	made := &Template{body: t, contentType: contentType}
	if _, err := made.execute(Event{Facts: []Fact{{}}, Actions: []Action{{}}}); err != nil {
		return nil, err
	}
	return made, nil
}

func (t *Template) execute(e Event) ([]byte, error) {
	out := &bounded{left: maxTemplated}
	if err := t.body.Execute(out, e); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	return out.Bytes(), nil
}

// bounded is a buffer that refuses to grow without end.
type bounded struct {
	bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("the body is over 1 MiB")
	}
	return b.Buffer.Write(p)
}
