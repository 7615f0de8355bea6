package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Bounds that Slack sets to parts of a message, in bytes of ours, which are
// never fewer than its characters.
const (
	slackText   = 2900 // of a section's text; 3000 characters
	slackField  = 1900 // of a field of a section; 2000 characters
	slackHeader = 150
	slackFields = 10
	slackLines  = 30
)

// Slack posts to an incoming webhook of Slack's. Such a webhook takes no
// idempotency key and can change no message: what was sent twice is there
// twice, and a resolved alert is a message of its own.
type Slack struct {
	url    Secret
	client *http.Client
}

// NewSlack posts to the incoming webhook at url. transport may be nil.
func NewSlack(url Secret, transport http.RoundTripper) *Slack {
	return &Slack{url: url, client: client(transport)}
}

type slackMessage struct {
	Text        string            `json:"text"` // of the notification, and where blocks are not shown
	Attachments []slackAttachment `json:"attachments"`
}

type slackAttachment struct {
	Color  string       `json:"color"`
	Blocks []slackBlock `json:"blocks"`
}

type slackBlock struct {
	Type   string      `json:"type"`
	Text   *slackPart  `json:"text,omitempty"`
	Fields []slackPart `json:"fields,omitempty"`
}

type slackPart struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// Notify implements Notifier.
func (s *Slack) Notify(ctx context.Context, e Event) error {
	blocks := []slackBlock{slackTitle(Headline(e))}
	if fields := slackFacts(e.Facts); len(fields) > 0 {
		blocks = append(blocks, slackBlock{Type: "section", Fields: fields})
	} else if e.Text != "" {
		blocks = append(blocks, slackSection(escapedWithin(e.Text, slackText, slackEscape)))
	}
	if links := slackLinks(e); links != "" {
		blocks = append(blocks, slackSection(links))
	}
	return s.send(ctx, slackMessage{Text: escapedWithin(Headline(e), slackText, slackEscape), Attachments: []slackAttachment{{Color: colour(worst([]Event{e})), Blocks: blocks}}})
}

// NotifyAll implements Grouper.
func (s *Slack) NotifyAll(ctx context.Context, events []Event) error {
	title, lines := digest(events, digestSize{slackLines, slackText})
	blocks := []slackBlock{slackTitle(title), slackSection(escapedWithin(strings.Join(lines, "\n"), slackText, slackEscape))}
	if links := slackLinks(Event{Actions: looks(events)}); links != "" {
		blocks = append(blocks, slackSection(links))
	}
	return s.send(ctx, slackMessage{Text: slackEscape(title), Attachments: []slackAttachment{{Color: colour(worst(events)), Blocks: blocks}}})
}

func slackTitle(text string) slackBlock {
	return slackBlock{Type: "header", Text: &slackPart{Type: "plain_text", Text: cut(text, slackHeader)}}
}

func slackSection(text string) slackBlock {
	return slackBlock{Type: "section", Text: &slackPart{Type: "mrkdwn", Text: text}}
}

func slackFacts(facts []Fact) (fields []slackPart) {
	for _, f := range briefFacts(facts, slackFields, slackField) {
		name := escapedWithin(f.Name, nameMost, slackEscape)
		fields = append(fields, slackPart{Type: "mrkdwn", Text: fmt.Sprintf("*%s*\n%s", name, escapedWithin(f.Value, slackField-nameMost, slackEscape))})
	}
	return fields
}

func slackLinks(e Event) string {
	var text string
	links := linksOf(e)
	for i, a := range links {
		link := fmt.Sprintf("<%s|%s>", slackEscape(a.Link), escapedWithin(a.Name, nameMost, slackEscape))
		if len(text)+len(link) > slackText-nameMost { // a link that is cut leads nowhere
			return strings.TrimPrefix(fmt.Sprintf("%s · and %d more", text, len(links)-i), " · ")
		}
		if text != "" {
			text += " · "
		}
		text += link
	}
	return text
}

// linksOf is where an event leads: the page first, then what can be done.
func linksOf(e Event) []Action {
	if e.Link == "" {
		return e.Actions
	}
	return append([]Action{{Name: "look", Link: e.Link}}, e.Actions...)
}

// slackEscape keeps text from being read as a mention, a link or a command.
func slackEscape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

func (s *Slack) send(ctx context.Context, m slackMessage) error {
	address, err := read("Slack webhook's URL", s.url)
	if err != nil {
		return err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return Permanent(fmt.Errorf("notify: write the message: %w", err))
	}
	return post(ctx, s.client, request{url: address, body: body, header: http.Header{}})
}
