package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/journal"
)

// markup is what somebody may write wherever they may write anything: a name, a
// reason, a live value. It leaves attributes of either quote, text and scripts.
const markup = `"'></script><img src=x onerror=alert(1)>`

// hostile is the night with markup before each of its texts.
type hostile struct{ *night }

func (n hostile) Status() Status { return marked(n.night.Status()) }

func (n hostile) History(environment string, limit int) []Event {
	return marked(n.night.History(strings.TrimPrefix(environment, markup), limit))
}

func (n hostile) Drift(ctx context.Context, name string) (Drift, error) {
	d, err := n.night.Drift(ctx, strings.TrimPrefix(name, markup))
	return marked(d), err
}

func (n hostile) Rollouts(ctx context.Context, q RolloutQuery) ([]Rollout, error) {
	q.Environment, q.Release = strings.TrimPrefix(q.Environment, markup), strings.TrimPrefix(q.Release, markup)
	r, err := n.night.Rollouts(ctx, q)
	return marked(r), err
}

func (n hostile) Resources(name string) ([]ResourceStatus, error) {
	r, err := n.night.Resources(name)
	return marked(r), err
}

func (n hostile) Resource(ctx context.Context, environment, name string) (ResourceDetail, error) {
	r, err := n.night.Resource(ctx, environment, strings.TrimPrefix(name, markup))
	return marked(r), err
}

func (n hostile) Decisions(ctx context.Context, q journal.DecisionQuery) (DecisionPage, error) {
	p, err := n.night.Decisions(ctx, q)
	for i, d := range p.Decisions {
		var line any
		if json.Unmarshal([]byte(d.Line), &line) == nil {
			again, _ := json.Marshal(marked(line)) // it was JSON
			p.Decisions[i].Line = string(again)
		}
	}
	return p, err
}

// marked is a copy of v with markup before each text in it, whatever it is of.
func marked[T any](v T) T {
	return mark(reflect.ValueOf(&v).Elem()).Interface().(T)
}

func mark(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		out.SetString(markup + v.String())
	case reflect.Struct:
		out.Set(v)
		if v.Type() == reflect.TypeFor[time.Time]() {
			break
		}
		for i := range v.NumField() {
			if out.Field(i).CanSet() {
				out.Field(i).Set(mark(v.Field(i)))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			out = reflect.Append(out, mark(v.Index(i)))
		}
	case reflect.Map:
		out.Set(reflect.MakeMap(v.Type()))
		for k, e := range v.Seq2() {
			key := k
			if k.Kind() == reflect.String && v.Type().Elem().Kind() == reflect.Int {
				key = mark(k) // of counts; else a name of a field
			}
			out.SetMapIndex(key, mark(e))
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() && v.Kind() == reflect.Interface {
			out.Set(mark(v.Elem()))
		} else if !v.IsNil() {
			p := reflect.New(v.Type().Elem())
			p.Elem().Set(mark(v.Elem()))
			out.Set(p)
		}
	default:
		out.Set(v)
	}
	return out
}

// Whatever any text says that people, policies or the platform wrote: no view
// takes it for markup.
func TestLesson80NoTextIsTakenForMarkup(t *testing.T) {
	n := hostile{badNight(12)}
	h := serve(t, &n.fake, func(o *Options) { o.View, o.Now = n, func() time.Time { return noon } })
	digest := n.night.status.Environments[0].Release
	env := func(name string) string { return "/environments/" + url.PathEscape(markup+name) }
	for view, shows := range map[string]int{
		"/": 20, env("production"): 200, env("staging"): 30, "/decisions": 10,
		env("production") + "/resources/" + url.PathEscape(markup+longName): 100,
		env("staging") + "/releases/" + url.PathEscape(markup+digest):       30,
	} {
		w := ask(h, "GET", view, "", "Authorization", "Bearer the-token", "Accept", "text/html")
		body := w.Body.String()
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", view, w.Code)
		}
		if got := strings.Count(body, "&lt;img src=x"); got < shows {
			t.Errorf("%s shows %d marked texts, want %d at least: is it looked at?", view, got, shows)
		}
		if at := regexp.MustCompile(`.{0,120}<img src=x.{0,40}`).FindString(body); at != "" {
			t.Errorf("%s takes a text for markup: …%s…", view, at)
		}
	}
}
