package s3

import (
	"encoding/xml"
	"net/url"
	"slices"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Notice is an event of a bucket on its way to one target.
type Notice struct {
	Bucket, Account, Region string
	Target                  string // an ARN; "" for the bus of the bucket's place
	Event                   string // ObjectCreated:Put
	Record                  map[string]any
}

// notifications is the document of a bucket's notifications, as far as it is
// acted on.
type notifications struct {
	Lambda      []notification `xml:"CloudFunctionConfiguration"`
	Queue       []notification `xml:"QueueConfiguration"`
	Topic       []notification `xml:"TopicConfiguration"`
	EventBridge *struct{}      `xml:"EventBridgeConfiguration"`
}

type notification struct {
	ID            string   `xml:"Id"`
	CloudFunction string   `xml:"CloudFunction"`
	Queue         string   `xml:"Queue"`
	Topic         string   `xml:"Topic"`
	Events        []string `xml:"Event"`
	Rules         []struct {
		Name, Value string
	} `xml:"Filter>S3Key>FilterRule"`
}

func (d *notifications) all() []notification { return slices.Concat(d.Lambda, d.Queue, d.Topic) }

func (n *notification) target() string { return n.CloudFunction + n.Queue + n.Topic }

// filter is how a key must begin and end.
func (n *notification) filter() (prefix, suffix string) {
	for _, rule := range n.Rules {
		switch strings.ToLower(rule.Name) {
		case "prefix":
			prefix = rule.Value
		case "suffix":
			suffix = rule.Value
		}
	}
	return prefix, suffix
}

func (n *notification) wants(event, key string) bool {
	prefix, suffix := n.filter()
	return strings.HasPrefix(key, prefix) && strings.HasSuffix(key, suffix) &&
		slices.ContainsFunc(n.Events, func(want string) bool { return wire.Glob(strings.TrimPrefix(want, "s3:"), event) })
}

// overlaps: one event would go to both.
func (n *notification) overlaps(other *notification) bool {
	p1, s1 := n.filter()
	p2, s2 := other.filter()
	if !strings.HasPrefix(p1, p2) && !strings.HasPrefix(p2, p1) || !strings.HasSuffix(s1, s2) && !strings.HasSuffix(s2, s1) {
		return false
	}
	for _, a := range n.Events {
		for _, b := range other.Events {
			if wire.Glob(a, b) || wire.Glob(b, a) {
				return true
			}
		}
	}
	return false
}

// checkNotifications refuses a document whose targets cannot be told, or whose
// entries overlap; an entry without an Id gets one.
func (s *Service) checkNotifications(q *request) error {
	var in notifications
	if err := q.parse(&in); err != nil {
		return err
	}
	s.mu.Lock()
	b, err := s.find(q.bucket)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	all := in.all()
	for i := range all {
		for j := range all[:i] {
			if all[i].overlaps(&all[j]) {
				return fail(400, "InvalidArgument", "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.")
			}
		}
		if all[i].target() == "" || len(all[i].Events) == 0 {
			return fail(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
		}
		skip := q.r.Header.Get("X-Amz-Skip-Destination-Validation") == "true"
		if s.options.May != nil && !skip && !s.options.May("arn:aws:s3::"+b.account+":"+b.name, all[i].target()) {
			return fail(400, "InvalidArgument", "Unable to validate the following destination configurations")
		}
	}
	if slices.ContainsFunc(all, func(n notification) bool { return n.ID == "" }) {
		return q.number()
	}
	return nil
}

// number gives Ids to the entries that have none.
func (q *request) number() error {
	type element struct {
		XMLName xml.Name
		Inner   string `xml:",innerxml"`
	}
	var d struct {
		XMLName  xml.Name
		Elements []element `xml:",any"`
	}
	if err := q.parse(&d); err != nil {
		return err
	}
	for i := range d.Elements {
		if e := &d.Elements[i]; strings.Contains(e.Inner, "<Event>") && !strings.Contains(e.Inner, "<Id>") {
			e.Inner = "<Id>" + wire.NewID() + "</Id>" + e.Inner
		}
	}
	raw, err := xml.Marshal(d)
	q.body = raw
	return err
}

// happened notes whom a bucket's document says to tell of an event.
func (q *request) happened(b *bucket, event, key string, o *object) {
	var d notifications
	raw := b.documents["notification"]
	if len(raw) == 0 || xml.Unmarshal(raw, &d) != nil {
		return
	}
	body := map[string]any{"key": url.QueryEscape(key), "sequencer": strings.ReplaceAll(wire.NewID(), "-", "")[:18]}
	if o != nil {
		if o.version != nullVersion {
			body["versionId"] = o.version
		}
		if !o.marker {
			body["size"], body["eTag"] = len(o.body), strings.Trim(o.etag, `"`)
		}
	}
	add := func(target, id string) {
		q.notices = append(q.notices, Notice{
			Bucket: b.name, Account: b.account, Region: b.region, Target: target, Event: event,
			Record: map[string]any{
				"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": b.region, "eventTime": stamp(q.call.At), "eventName": event,
				"userIdentity":      map[string]any{"principalId": q.call.Actor.Name},
				"requestParameters": map[string]any{"sourceIPAddress": "127.0.0.1"},
				"responseElements":  map[string]any{"x-amz-request-id": q.call.ID},
				"s3": map[string]any{
					"s3SchemaVersion": "1.0", "configurationId": id, "object": body,
					"bucket": map[string]any{"name": b.name, "arn": "arn:aws:s3:::" + b.name, "ownerIdentity": map[string]any{"principalId": b.account}},
				},
			},
		})
	}
	all := d.all()
	for i := range all {
		if all[i].wants(event, key) {
			add(all[i].target(), all[i].ID)
		}
	}
	if d.EventBridge != nil {
		add("", "")
	}
}

// removed notes the deletion of an object, or the marker that stands for it.
func (q *request) removed(b *bucket, key string, marked bool) {
	event := "ObjectRemoved:Delete"
	if marked {
		event = "ObjectRemoved:DeleteMarkerCreated"
	}
	q.happened(b, event, key, nil)
}

// tell hands out what happened; the lock is free.
func (s *Service) tell(q *request) {
	if s.options.Tell == nil {
		return
	}
	for _, n := range q.notices {
		s.options.Tell(n)
	}
}

// Tagged is the tags of a place's buckets, by ARN.
func (s *Service) Tagged(account, region string) map[string]map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[string]string{}
	for name, b := range s.buckets {
		var d struct {
			Tags []struct{ Key, Value string } `xml:"TagSet>Tag"`
		}
		if b.account != account || b.region != region || xml.Unmarshal(b.documents["tagging"], &d) != nil {
			continue
		}
		tags := map[string]string{}
		for _, t := range d.Tags {
			tags[t.Key] = t.Value
		}
		out["arn:aws:s3:::"+name] = tags
	}
	return out
}
