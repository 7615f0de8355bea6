package cloudwatch

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Metric math, the part that people write in alarms: numbers, identifiers,
// + - * / and parentheses, FILL(m, n), SUM([m1, m2]) and SUM(METRICS()).

// value is a number or a time series.
type value struct {
	number float64
	series map[time.Time]float64 // nil for a number
}

type parser struct {
	tokens  []string
	byID    map[string][]point
	metrics [][]point
	depth   int
}

const deepest = 50

// calculate evaluates an expression.
func calculate(text string, byID map[string][]point, metrics [][]point) ([]point, error) {
	tokens, err := tokenize(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, byID: byID, metrics: metrics}
	v, err := p.sum()
	if err != nil {
		return nil, err
	}
	if len(p.tokens) > 0 {
		return nil, fmt.Errorf("unexpected %q", p.tokens[0])
	}
	if v.series == nil {
		return nil, errors.New("an expression must return a time series")
	}
	var out []point
	for _, at := range slices.SortedFunc(maps.Keys(v.series), time.Time.Compare) {
		out = append(out, point{at: at, value: v.series[at]})
	}
	return out, nil
}

func tokenize(text string) ([]string, error) {
	var out []string
	word := func(r rune) bool {
		return r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		n := strings.IndexFunc(text, func(r rune) bool { return !word(r) })
		if n < 0 {
			n = len(text)
		}
		if n == 0 {
			if !strings.ContainsRune("+-*/(),[]", rune(text[0])) {
				return nil, fmt.Errorf("unexpected %q", text[:1])
			}
			n = 1
		}
		out = append(out, text[:n])
		text = text[n:]
	}
	return out, nil
}

func (p *parser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *parser) next() string {
	t := p.peek()
	if t != "" {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) expect(token string) error {
	if got := p.next(); got != token {
		return fmt.Errorf("expected %q, got %q", token, got)
	}
	return nil
}

func (p *parser) sum() (value, error) {
	return p.chain("+-", p.product)
}

func (p *parser) product() (value, error) {
	return p.chain("*/", p.factor)
}

// chain reads operands joined by operators of one precedence.
func (p *parser) chain(operators string, operand func() (value, error)) (value, error) {
	left, err := operand()
	for err == nil && p.peek() != "" && strings.Contains(operators, p.peek()) {
		operator := p.next()
		var right value
		if right, err = operand(); err == nil {
			left = combine(operator, left, right)
		}
	}
	return left, err
}

func (p *parser) factor() (value, error) {
	if p.depth++; p.depth > deepest {
		return value{}, errors.New("it is nested too deep")
	}
	defer func() { p.depth-- }()
	switch token := p.next(); token {
	case "":
		return value{}, errors.New("it ends too early")
	case "(":
		v, err := p.sum()
		if err != nil {
			return v, err
		}
		return v, p.expect(")")
	case "-":
		v, err := p.factor()
		return combine("-", value{}, v), err
	case "FILL":
		return p.fill()
	case "SUM":
		return p.total()
	default:
		if n, err := strconv.ParseFloat(token, 64); err == nil {
			return value{number: n}, nil
		}
		points, ok := p.byID[token]
		if !ok {
			return value{}, fmt.Errorf("there is no %q", token)
		}
		return seriesOf(points), nil
	}
}

func seriesOf(points []point) value {
	v := value{series: map[time.Time]float64{}}
	for _, pt := range points {
		v.series[pt.at] = pt.value
	}
	return v
}

// fill gives a series a number where others have data and it has none.
func (p *parser) fill() (value, error) {
	if err := p.expect("("); err != nil {
		return value{}, err
	}
	v, err := p.sum()
	if err != nil {
		return v, err
	}
	if err := p.expect(","); err != nil {
		return v, err
	}
	with, err := p.sum()
	if err != nil {
		return v, err
	}
	for _, points := range p.metrics {
		for _, pt := range points {
			if _, has := v.series[pt.at]; !has && v.series != nil {
				v.series[pt.at] = with.number
			}
		}
	}
	return v, p.expect(")")
}

func (p *parser) total() (value, error) {
	if err := p.expect("("); err != nil {
		return value{}, err
	}
	total := value{series: map[time.Time]float64{}}
	add := func(v value) {
		for at, n := range v.series {
			total.series[at] += n
		}
	}
	if p.peek() == "METRICS" {
		p.next()
		for _, points := range p.metrics {
			add(seriesOf(points))
		}
		return total, errors.Join(p.expect("("), p.expect(")"), p.expect(")"))
	}
	if err := p.expect("["); err != nil {
		return value{}, err
	}
	for {
		v, err := p.sum()
		if err != nil {
			return v, err
		}
		add(v)
		if p.peek() != "," {
			break
		}
		p.next()
	}
	return total, errors.Join(p.expect("]"), p.expect(")"))
}

// combine applies an operator; of two series, where both have data. A division
// by zero has no data.
func combine(operator string, a, b value) value {
	if a.series == nil && b.series == nil {
		n, _ := apply(operator, a.number, b.number)
		return value{number: n}
	}
	out := value{series: map[time.Time]float64{}}
	at := a.series
	if at == nil {
		at = b.series
	}
	for t := range at {
		x, hasX := a.at(t)
		y, hasY := b.at(t)
		if !hasX || !hasY {
			continue
		}
		if n, ok := apply(operator, x, y); ok {
			out.series[t] = n
		}
	}
	return out
}

func (v value) at(t time.Time) (float64, bool) {
	if v.series == nil {
		return v.number, true
	}
	n, ok := v.series[t]
	return n, ok
}

func apply(operator string, x, y float64) (float64, bool) {
	switch operator {
	case "+":
		return x + y, true
	case "-":
		return x - y, true
	case "*":
		return x * y, true
	default:
		return x / y, y != 0
	}
}
