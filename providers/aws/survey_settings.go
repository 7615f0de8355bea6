package aws

import (
	"context"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
)

// known refuses to take a part that the platform did not tell for absent.
func (l *settingsLook) known(part string) error {
	if why := l.unseen[part]; why != "" {
		return providers.Errorf(providers.Invalid, "%s", why)
	}
	return nil
}

// declaresSettings tells whether some of a function's settings are declared.
func (s *sweep) declaresSettings(sub *subject) bool {
	declared := beside(sub.function.Spec)
	for _, child := range sub.children {
		declared = declared || beside(child.Spec)
	}
	return declared
}

// lookBeside brings what is remembered of a function's settings up to date:
// where some are declared along with its other layers, else in its own turn.
func (s *sweep) lookBeside(ctx context.Context, sub *subject, due bool) error {
	declared := s.declaresSettings(sub)
	l, known := recall(&s.p.memory, s.p.memory.settings, sub.physical)
	if !due && !(declared && (!known || sub.layers.at.Equal(s.at))) {
		if known {
			sub.settings = l
		}
		s.layer(layerSettings, s.settingsAt(sub.physical)) // what was never looked at is as old as we are
		return nil
	}
	zip := sub.look.config.PackageType != types.PackageTypeImage
	l, err := s.p.lookSettings(ctx, s.cl, sub.physical, s.p.servedVersions(sub.physical, sub.layers.aliases), zip)
	switch {
	case providers.KindOf(err) == providers.Denied && !declared && err != nil:
		// Nobody asked for these: what may not be seen of them is unknown, and
		// spoils nothing else.
		l = &settingsLook{at: s.at, unseen: map[string]string{partProvisioned: "denied", partRuntimes: "denied"}}
		remember(&s.p.memory, s.p.memory.settings, sub.physical, l)
		remember(&s.p.memory, s.p.memory.recursion, sub.physical, recursionLook{at: s.at, unseen: "denied"})
	case err != nil:
		return err
	}
	sub.settings = l
	s.layer(layerSettings, l.at)
	return nil
}

// weightsLook is what was found out about the weights of an alias.
type weightsLook struct {
	at       time.Time
	revision string
	routing  providers.Routing
	ours     bool // AWS did not put them there
}

// ownMoves takes weights off an alias's answer that AWS put there itself: an
// alias with provisioned concurrency that moves shows its old version until
// the new one is ready. They are no drift. What was found out about weights
// holds until the alias changes.
func (p *Provider) ownMoves(ctx context.Context, cl *clients, live *providers.Live, a *types.AliasConfiguration) error {
	if live.Routing.Canary == "" {
		return nil
	}
	arn := awssdk.ToString(a.AliasArn)
	now := weightsLook{at: p.o.Now(), revision: awssdk.ToString(a.RevisionId), routing: live.Routing}
	l, known := recall(&p.memory, p.memory.weights, arn)
	if !known || !l.ours || l.revision != now.revision || l.routing != now.routing || now.at.Sub(l.at) >= p.o.LayerAge {
		physical, name := functionOf(arn)
		found, err := p.listProvisioned(ctx, cl, physical)
		if err != nil && !isUnknownOperation(err) {
			return classify(err)
		}
		now.ours = found[name].status != types.ProvisionedConcurrencyStatusEnumInProgress
		remember(&p.memory, p.memory.weights, arn, now)
		l = now
	}
	if !l.ours {
		live.Routing = providers.Routing{Version: live.Routing.Version}
		live.Note = "AWS moves its calls while provisioned concurrency becomes ready"
	}
	return nil
}
