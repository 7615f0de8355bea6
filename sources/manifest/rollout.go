package manifest

import (
	"regexp"
	"slices"
	"strconv"
	"time"
)

// The strategies of a normal Rollout. CodeDeploy's names are read as these.
const (
	AllAtOnce = "allAtOnce"
	Canary    = "canary"
	Linear    = "linear"
	BlueGreen = "blueGreen"
	Custom    = "custom" // stages without a strategy
)

var strategies = []string{AllAtOnce, Canary, Linear, BlueGreen, Custom}

// rolloutDoc is a Rollout as written: what is absent comes from the
// environment, and then from the defaults.
type rolloutDoc struct {
	Strategy strategyName `json:"strategy" doc:"allAtOnce, canary, linear or blueGreen, or a name of CodeDeploy's, as Canary10Percent5Minutes."`
	Force    bool         `json:"force" doc:"In an environment: whether this holds against what a function says."`
	Stages   []Stage      `json:"stages" is:"maxitems=100" doc:"Shares of traffic, rising. The last is 100."`
	Analysis *analysisDoc `json:"analysis" doc:"How each stage is judged."`
	Deadman  *Deadman     `json:"deadman" doc:"In an environment: traffic goes back by itself, at AWS, when nobody looks after a release that moves. Left out, it does not."`
}

type analysisDoc struct {
	FalseRollback *float64     `json:"falseRollback" is:"min=0.000001,max=0.5" doc:"The chance of rolling back a good version, over the whole rollout. Default 0.01."`
	Tolerance     *float64     `json:"tolerance" is:"min=0,max=1" doc:"How far the error rate may be over the baseline's and still be no harm. Default 0.02."`
	Confidence    *float64     `json:"confidence" is:"min=0.5,max=0.999999" doc:"How sure no harm must be. Default 0.95."`
	MinSamples    *int         `json:"minSamples" is:"min=0,max=10000000" doc:"Calls on the new version before a stage can pass. Default 50."`
	MaxHold       *Duration    `json:"maxHold" doc:"How long a stage may stay undecided. Default 30m."`
	OnUndecided   string       `json:"onUndecided" is:"enum=hold|proceed|rollback" doc:"What is done then. Default hold."`
	Latency       LatencyRules `json:"latency,omitempty" doc:"How slow the new version may be, at one percentile or at each of a list. Left out, latency is not judged."`
	Metrics       []Measure    `json:"metrics" is:"maxitems=20" doc:"What else must pass in each stage, and takes the release back when it fails. In mooring.yaml only."`
	Alarms        []string     `json:"alarms" is:"match=alarmName,maxlen=255,maxitems=20" doc:"Alarms that take the release back when they begin to fire: Alarm/NAME of the repository, or an alarm of the account by its name."`
	Probe         *Probe       `json:"probe" doc:"Calls of Mooring's own, while traffic moves: of the new version and of the one beside it, with the same event."`
	PreTraffic    *Check       `json:"preTraffic" doc:"Asked of the new version before it gets traffic."`
	PostTraffic   *Check       `json:"postTraffic" doc:"Asked through the alias once the last stage has held. When it fails, traffic goes back."`
}

// check: before traffic moves, and once all of it has, nobody is waited for.
func (a *analysisDoc) check(d *decoder, n *node) {
	for i, m := range a.Metrics {
		if slices.ContainsFunc(a.Metrics[:i], func(o Measure) bool { return o.Name == m.Name }) {
			d.fault(n.get("metrics").pos(), "metric "+quote(m.Name)+" stands twice", "")
		}
	}
	if c := a.PreTraffic; c != nil && (c.Verdict != nil || c.Every != 0) {
		d.fault(n.get("preTraffic").pos(), "a check before traffic is asked once, and answers", "leave out verdict and every")
	}
	if c := a.PostTraffic; c != nil && (c.Verdict != nil || c.Every != 0) {
		d.fault(n.get("postTraffic").pos(), "a check after traffic is asked once, and answers", "leave out verdict and every")
	}
}

func defaultAnalysis() Analysis {
	return Analysis{
		FalseRollback: 0.01, Tolerance: 0.02, Confidence: 0.95, MinSamples: 50,
		MaxHold: Duration(30 * time.Minute), OnUndecided: "hold",
	}
}

// defaultRollout is how traffic moves where nobody says otherwise.
func defaultRollout() Rollout {
	return Rollout{Strategy: AllAtOnce, Stages: []Stage{{Weight: 100}}, Analysis: defaultAnalysis()}
}

func (r *Rollout) writtenAs() any { return &rolloutDoc{} }

// decodeNode reads an environment's rollout, filled with the defaults.
func (r *Rollout) decodeNode(d *decoder, n *node, _ *rule) {
	var doc rolloutDoc
	d.into(n, &doc)
	*r = doc.over(defaultRollout())
	r.Force, r.Deadman = doc.Force, doc.Deadman
}

// strategyName is one of strategies, or a name of CodeDeploy's.
type strategyName string

func (s *strategyName) decodeNode(d *decoder, n *node, _ *rule) {
	if d.isHole(n) {
		return
	}
	if n.kind != stringNode {
		d.wrongType(n, "the name of a strategy", "")
		return
	}
	if _, _, ok := knownStrategy(n.text); !ok || n.text == "" {
		d.fault(n.pos(), "cannot be "+quote(n.text), strategyHint(n.text))
		return
	}
	*s = strategyName(n.text)
}

func (s *strategyName) schemaNode(g *schemaMaker, _ *rule) map[string]any {
	return g.orValue(map[string]any{"anyOf": []any{
		map[string]any{"enum": strategies},
		map[string]any{"type": "string", "pattern": codeDeploy.String()},
	}})
}

// check gives strategies their stages, and refuses stages that do not rise.
func (r *rolloutDoc) check(d *decoder, n *node) {
	written := string(r.Strategy)
	strategy, stages, _ := knownStrategy(written)
	if len(r.Stages) > 0 {
		if strategy == AllAtOnce || strategy != written && written != "" {
			d.push("stages")
			d.fault(n.get("stages").pos(), written+" has its own stages", "leave stages out, or use canary or linear")
			d.pop()
			return
		}
		checkStages(d, n.get("stages"), r.Stages)
		stages = slices.Clone(r.Stages)
		if strategy == "" {
			strategy = Custom
		}
	}
	if strategy == Custom && len(stages) == 0 {
		d.fault(n.pos(), "custom needs stages", "as stages: [{weight: 10, hold: 5m}]")
		return
	}
	if len(stages) > 0 && stages[len(stages)-1].Weight != 100 {
		stages = append(stages, Stage{Weight: 100})
	}
	r.Strategy, r.Stages = strategyName(strategy), stages
}

func checkStages(d *decoder, n *node, stages []Stage) {
	for i := 1; i < len(stages); i++ {
		if stages[i].Weight <= stages[i-1].Weight {
			d.push("stages")
			d.push("[" + itoa(i) + "]")
			d.fault(n.items[i].pos(), "weight "+itoa(stages[i].Weight)+" does not rise", "each stage must be above the one before")
			d.pop()
			d.pop()
		}
	}
}

func strategyHint(got string) string {
	return didYouMean(got, append(slices.Clone(strategies), "Canary10Percent5Minutes", "Linear10PercentEvery1Minute", "AllAtOnce"))
}

var codeDeploy = regexp.MustCompile(
	`^(?:CodeDeployDefault\.)?(?:Lambda)?(?:(AllAtOnce)|Canary(\d{1,2})Percent(\d{1,4})Minutes?|Linear(\d{1,2})PercentEvery(\d{1,4})Minutes?)$`)

// knownStrategy is the normal name of a strategy, and the stages it stands
// for where none are given.
func knownStrategy(name string) (string, []Stage, bool) {
	switch name {
	case "", Custom:
		return name, nil, true
	case AllAtOnce, BlueGreen:
		return name, []Stage{{Weight: 100}}, true
	case Canary:
		return name, []Stage{{10, minutes(5)}, {Weight: 100}}, true
	case Linear:
		return name, linear(10, 1), true
	}
	m := codeDeploy.FindStringSubmatch(name)
	switch {
	case m == nil:
		return "", nil, false
	case m[1] != "":
		return AllAtOnce, []Stage{{Weight: 100}}, true
	case m[2] != "":
		weight, hold := atoi(m[2]), atoi(m[3])
		return Canary, []Stage{{weight, minutes(hold)}, {Weight: 100}}, weight > 0
	}
	step, every := atoi(m[4]), atoi(m[5])
	if step == 0 {
		return "", nil, false
	}
	return Linear, linear(step, every), true
}

func linear(step, every int) []Stage {
	var out []Stage
	for weight := step; weight < 100; weight += step {
		out = append(out, Stage{weight, minutes(every)})
	}
	return append(out, Stage{Weight: 100})
}

func minutes(n int) Duration { return Duration(time.Duration(n) * time.Minute) }

// atoi reads digits a pattern has already checked.
func atoi(digits string) int {
	n, _ := strconv.Atoi(digits) // at most four digits: cannot fail
	return n
}

// over is the written rollout, with what it leaves out taken from below.
func (r *rolloutDoc) over(below Rollout) Rollout {
	out := below
	out.Stages = slices.Clone(below.Stages)
	if r == nil {
		return out
	}
	if r.Strategy != "" {
		out.Strategy, out.Stages = string(r.Strategy), slices.Clone(r.Stages)
	}
	if a := r.Analysis; a != nil {
		setIf(&out.Analysis.FalseRollback, a.FalseRollback)
		setIf(&out.Analysis.Tolerance, a.Tolerance)
		setIf(&out.Analysis.Confidence, a.Confidence)
		setIf(&out.Analysis.MinSamples, a.MinSamples)
		setIf(&out.Analysis.MaxHold, a.MaxHold)
		if a.OnUndecided != "" {
			out.Analysis.OnUndecided = a.OnUndecided
		}
		if len(a.Latency) > 0 {
			out.Analysis.Latency = a.Latency.settled()
		}
		if len(a.Metrics) > 0 {
			out.Analysis.Metrics = a.Metrics
		}
		out.Analysis.Alarms = MergeAlarms(below.Analysis.Alarms, a.Alarms)
		if a.Probe != nil {
			probe := a.Probe.settled()
			out.Analysis.Probe = &probe
		}
		if a.PreTraffic != nil {
			out.Analysis.PreTraffic = a.PreTraffic
		}
		if a.PostTraffic != nil {
			out.Analysis.PostTraffic = a.PostTraffic
		}
	}
	return out
}

func setIf[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}
