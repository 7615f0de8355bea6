package reconciler

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/sources/manifest"
)

// surrounded adds resources of the other kinds to a content: some, all of
// them, or none, so that the simulation stays as fast as it was.
func (c *chaos) surrounded(k content) content {
	if c.chance.IntN(3) > 0 {
		return k
	}
	k.around = allAround()
	if c.chance.IntN(3) > 0 {
		k.around.kinds &= uint(c.chance.Uint64())
	}
	k.around.triggered &= uint(c.chance.Uint64())
	return k
}

// surround changes what is declared around the functions.
func (c *chaos) surround(k *content) {
	bit := uint(1) << c.chance.IntN(len(aroundFunctions))
	switch c.chance.IntN(9) {
	case 0:
		k.around.kinds ^= bit
	case 1:
		k.around.triggered ^= bit
	case 2, 3:
		k.around.turn = 2 + (k.around.turn+1)%20
	}
}

// aroundKinds are what hands meddle with beside functions and queues.
var aroundKinds = []string{
	manifest.KindTopic, manifest.KindSubscription, manifest.KindRule, manifest.KindSchedule, manifest.KindWorkflow, manifest.KindWorkflowAlias, manifest.KindAPI, manifest.KindRoute,
	manifest.KindTable, manifest.KindBucket, manifest.KindNotification, manifest.KindLogGroup, manifest.KindAlarm, manifest.KindLayer, manifest.KindRole,
}

// meddle does something by hand to something around the functions.
func (c *chaos) meddle(env string) {
	var names []memory.Name
	for _, n := range c.platform.Names() {
		if slices.Contains(aroundKinds, n.Kind) && strings.HasPrefix(n.Physical, env+"-") {
			names = append(names, n)
		}
	}
	if len(names) == 0 || c.chance.IntN(2) > 0 {
		return
	}
	n := names[c.chance.IntN(len(names))]
	hand, what := c.platform.Manual("dave"), c.chance.IntN(6)
	var err error
	switch {
	case what == 0:
		err = hand.Remove(n)
	case what == 1 && n.Kind == manifest.KindRole: // made again, as it was
		err = c.makeAgain(hand, n)
	case what == 2 && n.Kind == manifest.KindRole:
		err = hand.Add(memory.Name{Kind: memory.KindPolicy, Physical: n.Physical, Key: "debug"}, map[string]string{"statements": "[]"})
	case what == 1 && n.Kind == manifest.KindWorkflow:
		err = hand.Publish(n)
	case what == 2 && n.Kind == manifest.KindWorkflowAlias:
		versions := key(c.platform.Versions(n.Physical))
		err = hand.PointAt(n, providers.Routing{Version: append(versions, "1")[0]})
	case n.Kind != manifest.KindLayer: // whose versions nobody can change
		err = c.scribble(hand, n)
	}
	c.log("%v by hand on %s: %d: %v", c.real.Sub(birth), n, what, err)
}

// makeAgain deletes a role and makes it with the same fields and tags.
func (c *chaos) makeAgain(hand memory.Hand, n memory.Name) error {
	fields, _ := c.platform.Fields(n)
	owner := c.platform.Owner(n)
	if err := hand.Remove(n); err != nil {
		return err
	}
	if err := hand.Add(n, fields); err != nil {
		return err
	}
	return hand.Own(n, owner)
}

// scribble changes a field of a thing, or takes it away.
func (c *chaos) scribble(hand memory.Hand, n memory.Name) error {
	fields, _ := c.platform.Fields(n)
	paths := slices.Sorted(maps.Keys(fields))
	if len(paths) == 0 {
		return nil
	}
	path := paths[c.chance.IntN(len(paths))]
	var value any
	if json.Unmarshal([]byte(fields[path]), &value) != nil {
		return nil
	}
	switch v := value.(type) {
	case bool:
		value = !v
	case float64:
		value = v + 1
	case string:
		value = v + "-by-hand"
	default:
		return hand.Unset(n, path)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return hand.Set(n, path, string(text))
}
