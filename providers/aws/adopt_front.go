package aws

import (
	"context"
	"slices"
	"sort"
	"strings"

	"mooring.dev/sources/manifest"
)

// standing is something that calls a function, found from the other side: a
// subscription, a bucket's entry, routes of an API, a rule, a schedule.
type standing struct {
	key   string // what the trigger is called where no statement says it
	fixed bool   // it is called that and nothing else
	spec  map[string]any
	// doc is the part of spec that says whether the statement comes along; nil
	// for what needs none.
	doc               map[string]any
	principal, source string // of the statement that comes along
	fromAccount       bool   // which names the source's account too
}

// fronted is the drafted function that an ARN calls by the qualifier it is
// declared with; nil for others.
func (a *adoption) fronted(arn string) *living {
	if serviceOf(arn) != "lambda" {
		return nil
	}
	name, _ := functionOf(arn)
	a.mu.Lock()
	defer a.mu.Unlock()
	if l := a.functions[name]; l != nil && l.front() == arn {
		return l
	}
	return nil
}

func (a *adoption) stands(l *living, s standing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l.stands = append(l.stands, s)
}

// around asks for what stands on the functions that were asked for, and for
// what they write to.
func (a *adoption) around(ctx context.Context) {
	for _, name := range sortedKeys(a.functions) {
		l := a.functions[name]
		for _, sid := range sortedKeys(l.statements) {
			a.need(strings.TrimSuffix(l.statements[sid].sourceArn, ":*"))
		}
		a.ask(wanted{manifest.KindLogGroup, l.logGroup()})
	}
	schedules, err := scheduleKind{a.p}.calling(ctx, a)
	a.askAll(manifest.KindSchedule, schedules, err)
	alarms, err := alarmKind{a.p}.on(ctx, a)
	a.askAll(manifest.KindAlarm, alarms, err)
}

// logGroup is where the function writes its log.
func (l *living) logGroup() string {
	f := liveConfig(&l.config)
	return f.logGroup
}

// finish makes triggers of what calls the function, and permissions of the
// statements that none of them brings along.
func (l *living) finish() {
	triggers := l.d.Spec["triggers"].(map[string]any)
	sort.Slice(l.stands, func(i, j int) bool {
		x, y := &l.stands[i], &l.stands[j]
		return x.key+canonicalJSON(x.spec) < y.key+canonicalJSON(y.spec)
	})
	for i := range l.stands {
		l.stand(triggers, &l.stands[i])
	}
	permissions := map[string]any{}
	for _, sid := range sortedKeys(l.statements) {
		l.permission(permissions, sid, l.statements[sid])
	}
	for key, part := range map[string]map[string]any{"triggers": triggers, "permissions": permissions} {
		if delete(l.d.Spec, key); len(part) > 0 {
			l.d.Spec[key] = part
		}
	}
	slices.Sort(l.d.Left)
}

// stand adds one trigger. It goes by the id of the statement that lets it
// call, when that is just what the trigger would bring along.
func (l *living) stand(triggers map[string]any, s *standing) {
	key := s.key
	if s.doc != nil {
		sid := l.brought(s)
		if sid == "" {
			s.doc["permission"] = false
		} else {
			if account := l.statements[sid].sourceAccount; s.fromAccount && account != l.a.p.o.Target.Account {
				s.doc["sourceAccount"] = account
			}
			delete(l.statements, sid)
			key = sid
		}
	}
	if s.spec["id"] == l.d.Name+"-"+key { // what it would be called anyway
		delete(s.spec, "id")
	}
	if other, taken := triggers[key]; taken && (s.fixed || key != s.key) {
		triggers[freeKey(triggers, key+"-source")] = other
		delete(triggers, key)
	}
	triggers[freeKey(triggers, key)] = s.spec
}

// brought is the id of the statement that the trigger brings along; "" when
// there is none that is just so.
func (l *living) brought(s *standing) string {
	for _, sid := range sortedKeys(l.statements) {
		want := permission{action: "lambda:InvokeFunction", principal: s.principal, sourceArn: s.source}
		if s.fromAccount {
			want.sourceAccount = l.statements[sid].sourceAccount
		}
		if same(l.statements[sid], want) && (!s.fixed || sid == s.key) && (!s.fromAccount || want.sourceAccount != "") {
			return sid
		}
	}
	return ""
}

// permission declares a statement by itself.
func (l *living) permission(permissions map[string]any, sid string, p *permission) {
	switch {
	case p.rest != nil:
		l.d.Leave("permission %s says what AddPermission cannot; it stays as it is, and drift tells of it", sid)
		return
	case p.token != "":
		l.d.Leave("permission %s holds an event source token, which is not written down; it stays as it is, and drift tells of it", sid)
		return
	}
	out := map[string]any{"action": p.action, "principal": accountOf(p.principal)}
	for key, value := range map[string]string{
		"sourceArn": p.sourceArn, "sourceAccount": p.sourceAccount, "principalOrgID": p.orgID, "functionUrlAuthType": p.urlAuth,
	} {
		if value != "" {
			out[key] = value
		}
	}
	if p.viaURL {
		out["invokedViaFunctionUrl"] = true
	}
	permissions[sid] = out
	if calling, undeclared := callers[p.principal]; undeclared && !l.a.declares(p.sourceArn) {
		l.d.Leave("permission %s lets %s call: what calls (%s) is not declared here, and stays as it is", sid, p.principal, orElse(p.sourceArn, calling))
	}
}

// declares: what an ARN names is drafted, or is of a trigger.
func (a *adoption) declares(arn string) bool {
	arn = strings.TrimSuffix(arn, ":*")
	for i := range a.out.Drafts {
		d := &a.out.Drafts[i]
		if d.Addresses["arn"] == arn && arn != "" {
			return true
		}
		if base, ok := strings.CutSuffix(d.Addresses["executeArn"], "*/*"); ok && strings.HasPrefix(arn, base) {
			return true
		}
	}
	return false
}

// callers are services whose part of a trigger lies outside the function.
var callers = map[string]string{
	"sns.amazonaws.com": "a subscription", "events.amazonaws.com": "a rule", "s3.amazonaws.com": "a bucket's notification",
	"apigateway.amazonaws.com": "an API's integration", "scheduler.amazonaws.com": "a schedule", "logs.amazonaws.com": "a subscription filter",
	"elasticloadbalancing.amazonaws.com": "a target group", "iot.amazonaws.com": "a rule", "cognito-idp.amazonaws.com": "a user pool",
}
