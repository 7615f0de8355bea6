package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

const (
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
	card := teamsCard{Body: []teamsElement{teamsTitle(headline(e), worst([]Event{e}))}}
	switch {
	case len(e.Facts) > 0:
		set := teamsElement{Type: "FactSet"}
		for _, f := range e.Facts {
			set.Facts = append(set.Facts, teamsFact{Title: f.Name, Value: cut(f.Value, teamsText/4)})
		}
		card.Body = append(card.Body, set)
	case e.Text != "":
		card.Body = append(card.Body, teamsBlock(e.Text))
	}
	for _, a := range linksOf(e) {
		card.Actions = append(card.Actions, teamsAction{Type: "Action.OpenUrl", Title: a.Name, URL: a.Link})
	}
	return t.send(ctx, card)
}

// NotifyAll implements Grouper.
func (t *Teams) NotifyAll(ctx context.Context, events []Event) error {
	title, lines := digest(events, teamsLines)
	return t.send(ctx, teamsCard{Body: []teamsElement{teamsTitle(title, worst(events)), teamsBlock(strings.Join(lines, "\n\n"))}})
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
	return teamsElement{Type: "TextBlock", Text: cut(text, teamsText), Wrap: true}
}

func (t *Teams) send(ctx context.Context, card teamsCard) error {
	address, err := read("Teams workflow's URL", t.url)
	if err != nil {
		return err
	}
	card.Schema, card.Type, card.Version = "http://adaptivecards.io/schemas/adaptive-card.json", "AdaptiveCard", "1.4"
	body, err := json.Marshal(teamsMessage{Type: "message", Attachments: []teamsAttachment{{ContentType: "application/vnd.microsoft.card.adaptive", Content: card}}})
	if err != nil {
		return Permanent(fmt.Errorf("notify: write the card: %w", err))
	}
	return post(ctx, t.client, request{url: address, body: body, header: http.Header{}})
}
