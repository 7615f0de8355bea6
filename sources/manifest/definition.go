package manifest

import "slices"

// maxDefinition is what AWS allows for a state machine, in characters.
const maxDefinition = 1 << 20

var stateTypes = []string{"Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"}

// checkDefinition holds a state machine against the parts of the States
// Language where a mistake would show only when AWS refuses the whole.
func checkDefinition(d *decoder, n *node, doc map[string]any) {
	d.push("definition")
	defer d.pop()
	if size := len(appendCanonical(nil, doc)); size > maxDefinition {
		d.fault(n.pos(), "is "+itoa(size)+" characters long", "AWS allows 1,048,576")
	}
	if file := n.get("file"); file != nil {
		d.fault(file.pos(), "a patch cannot name a file", "patch the states themselves")
		return
	}
	checkStates(d, n)
}

// checkStates checks one level of states: the machine's, a branch's or a
// Map's.
func checkStates(d *decoder, n *node) {
	states := n.get("States")
	if states == nil || states.kind != mapNode || len(states.entries) == 0 {
		d.fault(n.pos(), "needs States", "")
		return
	}
	names := make([]string, 0, len(states.entries))
	for _, e := range states.entries {
		names = append(names, e.key)
	}
	if start := n.get("StartAt"); start == nil {
		d.fault(n.pos(), "needs StartAt", "")
	} else {
		d.push("StartAt")
		knownState(d, start, names)
		d.pop()
	}
	d.push("States")
	for _, e := range states.entries {
		d.push(e.key)
		checkState(d, e, names)
		d.pop()
	}
	d.pop()
}

func checkState(d *decoder, e entry, names []string) {
	n := e.value
	kind := n.get("Type")
	if kind == nil || kind.kind != stringNode || !slices.Contains(stateTypes, kind.text) {
		hint := "one of Task, Pass, Choice, Wait, Succeed, Fail, Parallel, Map"
		if kind != nil {
			hint = didYouMean(kind.text, stateTypes)
		}
		d.fault(e.pos(), "needs a Type that there is", hint)
		return
	}
	switch kind.text {
	case "Task":
		if n.get("Resource") == nil {
			d.fault(e.pos(), "a Task needs Resource", "")
		}
	case "Choice":
		checkChoice(d, e, names)
	case "Parallel":
		if branches := n.get("Branches"); branches == nil || branches.kind != listNode {
			d.fault(e.pos(), "a Parallel needs Branches", "")
		} else {
			for _, branch := range branches.items {
				checkStates(d, branch)
			}
		}
	case "Map":
		inner := n.get("ItemProcessor")
		if inner == nil {
			inner = n.get("Iterator")
		}
		if inner == nil {
			d.fault(e.pos(), "a Map needs ItemProcessor", "")
		} else {
			checkStates(d, inner)
		}
	}
	checkNext(d, e, kind.text, names)
}

// checkNext: what is no end of its own goes on somewhere, and what catches
// goes where there is something.
func checkNext(d *decoder, e entry, kind string, names []string) {
	next, end := e.value.get("Next"), e.value.get("End")
	ends := kind == "Choice" || kind == "Succeed" || kind == "Fail"
	switch {
	case next != nil && (ends || end != nil):
		d.fault(next.pos(), "a "+kind+" that ends has no Next", "")
	case next != nil:
		knownState(d, next, names)
	case !ends && (end == nil || end.text != "true"):
		d.fault(e.pos(), "needs Next, or End: true", "")
	}
	if catch := e.value.get("Catch"); catch != nil {
		for _, c := range catch.items {
			if to := c.get("Next"); to != nil {
				knownState(d, to, names)
			}
		}
	}
}

func checkChoice(d *decoder, e entry, names []string) {
	choices := e.value.get("Choices")
	if choices == nil || len(choices.items) == 0 {
		d.fault(e.pos(), "a Choice needs Choices", "")
		return
	}
	for _, c := range choices.items {
		if next := c.get("Next"); next == nil {
			d.fault(c.pos(), "a choice needs Next", "")
		} else {
			knownState(d, next, names)
		}
	}
	if other := e.value.get("Default"); other != nil {
		knownState(d, other, names)
	}
}

func knownState(d *decoder, n *node, names []string) {
	if n.kind != stringNode || !slices.Contains(names, n.text) {
		d.fault(n.pos(), "no state "+quote(n.text), didYouMean(n.text, names))
	}
}
