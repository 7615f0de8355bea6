package manifest

import (
	"math"
	"slices"
	"strings"
	"time"
)

// MaxCheck bounds how long one try of a check may take.
const MaxCheck = time.Minute

// Check is a question put to an environment. Exactly one of its kinds is set.
// Questions that leave the platform (http, prometheus) may stand in
// mooring.yaml alone: whoever may change a branch of an environment must not
// thereby choose where the daemon connects to.
type Check struct {
	Name       string           `json:"name,omitempty" is:"match=name,maxlen=64" doc:"What the check is called."`
	Invoke     *Invoke          `json:"invoke,omitempty" doc:"Invoke a function and look at its answer."`
	HTTP       *HTTPCheck       `json:"http,omitempty" doc:"Ask a URL and look at its answer. In mooring.yaml only."`
	Alarm      string           `json:"alarm,omitempty" is:"match=alarmName,maxlen=255" doc:"An alarm that must be ok: Alarm/NAME of the repository, or an alarm of the account by its name."`
	Prometheus *PrometheusCheck `json:"prometheus,omitempty" doc:"A query of a Prometheus and the bounds of its value. In mooring.yaml only."`
	Verdict    *VerdictCheck    `json:"verdict,omitempty" doc:"The verdict of somebody else, given by API or mooring check. In mooring.yaml only."`
	Timeout    Duration         `json:"timeout,omitempty" doc:"How long is waited for an answer, at most 1m. Default 10s, and 1m of invoke."`
	Every      Duration         `json:"every,omitempty" doc:"Ask again after this time although it has passed; at least 10s. Default: a pass stays."`
}

// Invoke calls a function.
type Invoke struct {
	Function string         `json:"function,omitempty" is:"match=name,maxlen=64" doc:"The function, by its name in the repository."`
	Payload  any            `json:"payload,omitempty" doc:"The event."`
	Expect   map[string]any `json:"expect,omitempty" is:"keys=answerPath" doc:"What the answer must hold, by JSON path."`
}

// HTTPCheck asks a URL. Redirects are followed within the same host only.
type HTTPCheck struct {
	URL     Secret            `json:"url" is:"required" doc:"The http or https URL."`
	Method  string            `json:"method,omitempty" is:"enum=GET|HEAD|POST" doc:"The method. Default GET."`
	Headers map[string]Secret `json:"headers,omitempty" is:"keys=header,match=headerValue,maxitems=20" doc:"Headers: plain text, or {fromEnv: NAME} or {fromFile: /path}."`
	Status  int               `json:"status,omitempty" is:"min=100,max=599" doc:"The status it must answer with. Default: any from 200 to 299."`
	Expect  map[string]any    `json:"expect,omitempty" is:"keys=answerPath" doc:"What the answer must hold, by JSON path."`
}

// PrometheusCheck holds the one value of an instant query between bounds.
type PrometheusCheck struct {
	Address string            `json:"address" is:"required,match=url,maxlen=2048" doc:"The address of the server, without /api/v1."`
	Query   string            `json:"query" is:"required,maxlen=4096" doc:"A query with one value. No value is no pass."`
	Headers map[string]Secret `json:"headers,omitempty" is:"keys=header,match=headerValue,maxitems=20" doc:"Headers, as of http."`
	Min     *float64          `json:"min,omitempty" doc:"The value must be at least this."`
	Max     *float64          `json:"max,omitempty" doc:"The value must be at most this."`
}

// VerdictCheck waits for somebody's word on a content.
type VerdictCheck struct {
	By []string `json:"by,omitempty" is:"maxitems=50,maxlen=128" doc:"Whose word it is, by the names of their tokens. Default: of everybody who may approve or operate."`
}

// Kind is the name of the field that is set; "" if none is.
func (c *Check) Kind() string {
	if kinds := c.kinds(); len(kinds) > 0 {
		return kinds[0]
	}
	return ""
}

func (c *Check) kinds() []string {
	var out []string
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"invoke", c.Invoke != nil}, {"http", c.HTTP != nil}, {"alarm", c.Alarm != ""},
		{"prometheus", c.Prometheus != nil}, {"verdict", c.Verdict != nil},
	} {
		if k.set {
			out = append(out, k.name)
		}
	}
	return out
}

// check holds the members of a Check against each other.
func (c *Check) check(d *decoder, n *node) {
	set := c.kinds()
	switch {
	case len(set) == 0:
		d.fault(n.pos(), "asks nothing", "give it one of invoke, http, alarm, prometheus, verdict")
	case len(set) > 1:
		d.fault(n.get(set[1]).pos(), "asks two questions: "+strings.Join(set, " and "), "make two checks of it")
	case !d.literal && c.Alarm == "" && c.Invoke == nil:
		d.fault(n.get(set[0]).pos(), set[0]+" stands in mooring.yaml only", "a branch of an environment does not choose where the daemon connects to; use invoke or alarm here")
	}
	if own, ours := strings.CutPrefix(c.Alarm, KindAlarm+"/"); ours && !patterns["name"].re.MatchString(own) {
		d.fault(n.get("alarm").pos(), quote(c.Alarm)+" names no alarm of the repository", "write Alarm/NAME, or the name of one of the account")
	}
	if c.Timeout < 0 || time.Duration(c.Timeout) > MaxCheck {
		d.fault(n.get("timeout").pos(), "timeout is at most 1m", "")
	}
	if c.Every != 0 && time.Duration(c.Every) < 10*time.Second {
		d.fault(n.get("every").pos(), "every is at least 10s", "")
	}
	if c.Verdict != nil && (c.Every != 0 || c.Timeout != 0) {
		d.fault(n.get("verdict").pos(), "a verdict is waited for, not asked for", "leave out every and timeout")
	}
}

func (c *HTTPCheck) check(d *decoder, n *node) {
	if c.Method == "HEAD" && len(c.Expect) > 0 {
		d.fault(n.get("expect").pos(), "an answer to HEAD holds nothing that could be expected", "ask by GET, or look at the status alone")
	}
}

func (v *VerdictCheck) check(d *decoder, n *node) {
	if i := slices.Index(v.By, ""); i >= 0 {
		d.fault(n.get("by").pos(), "a token has a name", "name whose verdict it is, or leave out by")
	}
}

func (p *PrometheusCheck) check(d *decoder, n *node) {
	if root, api := strings.CutSuffix(strings.TrimRight(strings.TrimSuffix(p.Address, "/query"), "/"), "/api/v1"); api {
		d.fault(n.get("address").pos(), "the path of the API is added to it", "write "+quote(root))
	}
	switch {
	case p.Min == nil && p.Max == nil:
		d.fault(n.pos(), "a query without bounds proves nothing", "give it min, max or both")
	case p.Min != nil && p.Max != nil && *p.Min > *p.Max:
		d.fault(n.get("min").pos(), "min is above max", "")
	}
}

// Within tells whether a value is between the bounds; NaN is not.
func (p *PrometheusCheck) Within(v float64) bool {
	return !math.IsNaN(v) && (p.Min == nil || v >= *p.Min) && (p.Max == nil || v <= *p.Max)
}

// checkChecks holds the checks of an environment against each other.
func (c *pipelineCheck) checkChecks(i int, e Environment) {
	seen := map[string]bool{}
	for k, check := range e.Checks {
		switch {
		case check.Kind() == "": // told
		case check.Name == "":
			c.faultOf(i, k, "", "a check needs a name", "its results are told and kept by it")
		case seen[check.Name]:
			c.faultOf(i, k, "name", "check "+quote(check.Name)+" stands twice", "give each a name of its own")
		case check.Invoke != nil && check.Invoke.Function == "":
			c.faultOf(i, k, "invoke", "check "+quote(check.Name)+" names no function", "write invoke: {function: NAME}, as the repository calls it")
		}
		seen[check.Name] = true
	}
}

// faultOf is about the k-th check of the i-th environment, or a field of it.
func (c *pipelineCheck) faultOf(i, k int, field, message, hint string) {
	at, path := c.list.items[i].get("checks").items[k], "spec.environments["+itoa(i)+"].checks["+itoa(k)+"]"
	if n := at.get(field); n != nil {
		at, path = n, path+"."+field
	}
	c.d.faults = append(c.d.faults, Fault{at.pos(), path, message, hint})
}
