package reconciler

import (
	"errors"
	"fmt"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/sources/manifest"
)

// edit is something done by hand on the platform.
func (c *chaos) edit(env string) {
	hand := c.platform.Manual("alice")
	fn := env + "-" + []string{"checkout", "mailer"}[c.rng.IntN(2)]
	function := memory.Name{Kind: manifest.KindFunction, Physical: fn}
	alias := memory.Name{Kind: manifest.KindAlias, Physical: fn, Key: "live"}
	trigger := memory.Name{Kind: manifest.KindTrigger, Physical: fn, Key: "orders"}
	queue := memory.Name{Kind: manifest.KindQueue, Physical: env + "-orders"}
	var err error
	what := c.rng.IntN(19)
	switch what {
	case 0:
		err = hand.Set(function, "memorySize", fmt.Sprint(64+64*c.rng.IntN(8)))
	case 1:
		err = hand.Set(function, "timeout", fmt.Sprint(1+c.rng.IntN(30)))
	case 2, 3:
		err = hand.Set(function, "environment.LOG_LEVEL", `"trace"`)
	case 4:
		err = hand.Unset(function, "environment.LOG_LEVEL")
	case 5:
		err = hand.Set(function, "environment.EXTRA", `"1"`)
	case 6:
		versions := key(c.platform.Versions(fn))
		if len(versions) > 0 {
			err = hand.Point(fn, "live", providers.Routing{Version: versions[c.rng.IntN(len(versions))]})
		}
	case 7:
		versions := key(c.platform.Versions(fn))
		if len(versions) > 1 {
			err = hand.Point(fn, "live", providers.Routing{Version: versions[0], Canary: versions[1], Weight: 3000})
		}
	case 8:
		err = hand.Add(memory.Name{Kind: manifest.KindPermission, Physical: fn, Key: "open"}, map[string]string{"principal": `"*"`, "action": `"lambda:InvokeFunction"`})
	case 9:
		err = hand.Add(memory.Name{Kind: manifest.KindTrigger, Physical: fn, Key: "foreign"}, map[string]string{"enabled": "true"})
	case 10:
		err = hand.Remove(trigger)
	case 11:
		err = hand.Set(trigger, "enabled", "false")
	case 12:
		err = hand.Remove(memory.Name{Kind: manifest.KindPermission, Physical: fn, Key: "partner"})
	case 13:
		err = hand.Remove(alias)
	case 14:
		err = hand.Remove(function)
	case 15:
		err = hand.Remove(queue)
	case 16:
		err = hand.Set(queue, "visibilityTimeout", fmt.Sprint(c.rng.IntN(100)))
	case 17:
		err = hand.Set(memory.Name{Kind: manifest.KindConcurrency, Physical: fn}, "reservedConcurrentExecutions", "0")
	case 18:
		err = errors.Join(hand.Own(queue, providers.Owner{}), hand.Set(queue, "visibilityTimeout", "7"))
	}
	c.log("%v by hand on %s: %d: %v", c.real.Sub(birth), fn, what, err)
}
