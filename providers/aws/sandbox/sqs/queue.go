package sqs

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// queue is one queue; the service's lock guards it.
type queue struct {
	name       string
	attributes map[string]string
	tags       map[string]string
	created    time.Time
	modified   time.Time
	purged     time.Time
	messages   []*message
	seen       map[string]time.Time // deduplication identifiers of the last five minutes
	dead       redrive              // the RedrivePolicy; zero for none
	changed    chan struct{}        // closed and replaced when a message may have become visible
	sequence   int64
}

// Attribute is one attribute a sender gave a message.
type Attribute struct {
	DataType    string
	StringValue string
	BinaryValue []byte
}

// message is one message in a queue.
type message struct {
	id, body   string
	attributes map[string]Attribute
	group      string
	dedup      string
	sequence   int64
	sender     string
	sent       time.Time
	first      time.Time // of being received
	received   int
	visible    time.Time // not to be received before
	receipt    string    // of the last time it was received
}

func newQueue(name string, attributes, tags map[string]string, now time.Time) *queue {
	q := &queue{
		name: name, attributes: maps.Clone(defaults), tags: maps.Clone(tags),
		created: now, modified: now, seen: map[string]time.Time{}, changed: make(chan struct{}),
	}
	if q.tags == nil {
		q.tags = map[string]string{}
	}
	if attributes["FifoQueue"] == "true" {
		q.attributes["ContentBasedDeduplication"] = "false"
		q.attributes["DeduplicationScope"] = "queue"
		q.attributes["FifoThroughputLimit"] = "perQueue"
	}
	q.set(attributes)
	return q
}

func (q *queue) fifo() bool { return q.attributes["FifoQueue"] == "true" }

// counts tells messages that wait, are in flight, and are delayed.
func (q *queue) counts(now time.Time) (waiting, inFlight, delayed int) {
	for _, m := range q.messages {
		switch {
		case !m.visible.After(now):
			waiting++
		case m.received > 0:
			inFlight++
		default:
			delayed++
		}
	}
	return waiting, inFlight, delayed
}

// duplicate is true when a FIFO queue has taken the message within five
// minutes.
func (q *queue) duplicate(m *message, now time.Time) bool {
	if !q.fifo() {
		return false
	}
	if m.dedup == "" && q.attributes["ContentBasedDeduplication"] == "true" {
		sum := sha256.Sum256([]byte(m.body))
		m.dedup = hex.EncodeToString(sum[:])
	}
	for id, at := range q.seen {
		if now.Sub(at) >= 5*time.Minute {
			delete(q.seen, id)
		}
	}
	if _, taken := q.seen[m.dedup]; taken {
		return true
	}
	q.seen[m.dedup] = now
	return false
}

// take makes up to limit visible messages invisible for a while.
func (q *queue) take(limit int, visibility time.Duration, now time.Time) []*message {
	var out []*message
	busy := map[string]bool{} // groups of a FIFO queue with an earlier message out
	for _, m := range q.messages {
		if len(out) == limit {
			break
		}
		if m.visible.After(now) || busy[m.group] {
			if q.fifo() {
				busy[m.group] = true
			}
			continue
		}
		m.received++
		if m.first.IsZero() {
			m.first = now
		}
		m.visible = now.Add(visibility)
		m.receipt = m.id + "/" + wire.NewID()
		out = append(out, m)
	}
	return out
}

// sweep brings a queue up to date, and the queues whose dead letters it takes.
// The caller holds the lock.
func (s *Service) sweep(q *queue) {
	now := s.options.Now()
	s.expire(q, now)
	arn := s.arn(q.name)
	for _, source := range s.queues {
		if source.dead.Target == arn {
			s.expire(source, now)
		}
	}
}

// expire drops what is over its retention, and moves to the dead letters what
// was received too often.
func (s *Service) expire(q *queue, now time.Time) {
	retention := seconds(q.attributes["MessageRetentionPeriod"])
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return now.Sub(m.sent) > retention })
	if q.dead.Target == "" {
		return
	}
	dead, err := s.find(q.dead.Target)
	if err != nil || s.arn(dead.name) != q.dead.Target { // AWS leaves the messages where they are
		return
	}
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool {
		if m.received < q.dead.max() || m.visible.After(now) {
			return false
		}
		moved := *m
		moved.received, moved.receipt, moved.visible = 0, "", now
		dead.messages = append(dead.messages, &moved)
		dead.wake()
		return true
	})
}

// soon is how long until a message that hides now may be seen in the queue, at
// most limit.
func (s *Service) soon(q *queue, limit time.Duration) time.Duration {
	now, arn := s.options.Now(), s.arn(q.name)
	for _, x := range s.queues {
		if x != q && x.dead.Target != arn {
			continue
		}
		for _, m := range x.messages {
			if left := m.visible.Sub(now); left > 0 && left < limit {
				limit = left
			}
		}
	}
	return limit
}

// wake lets long polls of the queue look again; the caller holds the lock.
func (q *queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// Wake lets every long poll look again, after the clock was moved.
func (s *Service) Wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		q.wake()
	}
}
