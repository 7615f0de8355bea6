package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

const (
	teamsSize  = 27 << 10 // of a message; Teams takes 28 KB
	teamsText  = 4000
	teamsLines = 30
)

// Teams posts an adaptive card to a workflow of Microsoft Teams that begins
// with "When a Teams webhook request is received". It takes no idempotency
// key: what was sent twice is there twice.
type Teams struct {
	url    Secret
	client *http.Client
}

// NewTeams posts to the workflow's url. transport may be nil.
func NewTeams(url Secret, transport http.RoundTripper) *Teams {
	return &Teams{url: url, client: client(transport)}
}

type teamsMessage struct {
	Type        string            `json:"type"`
	Attachments []teamsAttachment `json:"attachments"`
}

type teamsAttachment struct {
	ContentType string    `json:"contentType"`
	Content     teamsCard `json:"content"`
}

type teamsCard struct {
	Schema  string         `json:"$schema"`
	Type    string         `json:"type"`
	Version string         `json:"version"`
	Body    []teamsElement `json:"body"`
	Actions []teamsAction  `json:"actions,omitempty"`
}

type teamsElement struct {
	Type   string      `json:"type"`
	Text   string      `json:"text,omitempty"`
	Weight string      `json:"weight,omitempty"`
	Size   string      `json:"size,omitempty"`
	Color  string      `json:"color,omitempty"`
	Wrap   bool        `json:"wrap,omitempty"`
	Facts  []teamsFact `json:"facts,omitempty"`
}

type teamsFact struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

type teamsAction struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// Notify implements Notifier.
func (t *Teams) Notify(ctx context.Context, e Event) error {
	_, body, err := within(e, teamsSize, func(e Event) ([]byte, error) { return teamsBody(teamsCardOf(e)) })
	if err != nil {
		return err
	}
	return t.send(ctx, body)
}

func teamsCardOf(e Event) teamsCard {
	card := teamsCard{Body: []teamsElement{teamsTitle(Headline(e), worst([]Event{e}))}}
	switch {
	case len(e.Facts) > 0:
		set := teamsElement{Type: "FactSet"}
		for _, f := range e.Facts {
			set.Facts = append(set.Facts, teamsFact{Title: f.Name, Value: cutLines(f.Value, teamsText/4)})
		}
		card.Body = append(card.Body, set)
	case e.Text != "":
		card.Body = append(card.Body, teamsBlock(e.Text))
	}
	for _, a := range linksOf(e) {
		card.Actions = append(card.Actions, teamsAction{Type: "Action.OpenUrl", Title: a.Name, URL: a.Link})
	}
	return card
}

// NotifyAll implements Grouper.
func (t *Teams) NotifyAll(ctx context.Context, events []Event) error {
	title, lines := digest(events, digestSize{teamsLines, teamsText - teamsLines}) // an empty line between two
	card := teamsCard{Body: []teamsElement{teamsTitle(title, worst(events)), teamsBlock(strings.Join(lines, "\n\n"))}}
	for _, a := range looks(events) {
		card.Actions = append(card.Actions, teamsAction{Type: "Action.OpenUrl", Title: a.Name, URL: a.Link})
	}
	body, err := teamsBody(card)
	if err != nil {
		return Permanent(err)
	}
	return t.send(ctx, body)
}

func teamsTitle(text, severity string) teamsElement {
	e := teamsBlock(text)
	e.Weight, e.Size = "Bolder", "Medium"
	switch severity {
	case "":
		e.Color = "Good"
	case "low", "medium":
		e.Color = "Warning"
	default:
		e.Color = "Attention"
	}
	return e
}

func teamsBlock(text string) teamsElement {
	return teamsElement{Type: "TextBlock", Text: cutLines(text, teamsText), Wrap: true}
}

func teamsBody(card teamsCard) ([]byte, error) {
	card.Schema, card.Type, card.Version = "http://adaptivecards.io/schemas/adaptive-card.json", "AdaptiveCard", "1.4"
	body, err := json.Marshal(teamsMessage{Type: "message", Attachments: []teamsAttachment{{ContentType: "application/vnd.microsoft.card.adaptive", Content: card}}})
	if err != nil {
		return nil, fmt.Errorf("notify: write the card: %w", err)
	}
	return body, nil
}

func (t *Teams) send(ctx context.Context, body []byte) error {
	address, err := read("Teams workflow's URL", t.url)
	if err != nil {
		return err
	}
	return post(ctx, t.client, request{url: address, body: body, header: http.Header{}})
}
