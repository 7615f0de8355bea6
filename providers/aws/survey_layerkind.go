package aws

import (
	"context"
	"fmt"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// layersLook is the last listing of the region's layers: those whose newest
// version is ours, by name.
type layersLook struct {
	at   time.Time
	ours map[string]manifest.Ref
}

// survey looks at layers one by one, in rotation. Layers take no tags, so what
// nobody declares any more is found by the mark of its newest version: the
// listing of all layers, in rotation, while any was ever declared.
func (k layerKind) survey(ctx context.Context, s *sweep) {
	s.plain(ctx, plainly{kind: manifest.KindLayer, layer: layerLayers, service: "Lambda", operation: "ListLayerVersions", cost: 2})
	wanted := map[string]bool{}
	for _, res := range s.ofKind(manifest.KindLayer) {
		wanted[res.Physical] = true
	}
	s.p.memory.mu.Lock()
	look := s.p.memory.listed
	s.p.memory.mu.Unlock()
	if len(wanted) == 0 && look.at.IsZero() {
		return
	}
	if look.at.IsZero() || s.at.Sub(look.at) >= s.p.o.LayerAge {
		ours, err := k.listOurs(ctx, s)
		if err != nil {
			s.fail(manifest.Ref{}, fmt.Errorf("list layers: %w", err))
			return
		}
		look = layersLook{at: s.at, ours: ours}
		s.p.memory.mu.Lock()
		s.p.memory.listed = look
		s.p.memory.mu.Unlock()
	}
	for _, name := range sortedKeys(look.ours) {
		if !wanted[name] {
			k.orphan(ctx, s, manifest.Resource{Ref: look.ours[name], Physical: name})
		}
	}
}

func (k layerKind) orphan(ctx context.Context, s *sweep, res manifest.Resource) {
	l, err := k.p.lookLayer(ctx, s.cl, res)
	if err != nil {
		s.fail(res.Ref, about("observe", res.Ref, err))
		return
	}
	if live := k.live(res, l); live.Exists && k.p.owns(live.Owner) {
		s.orphan(res.Ref, live)
	}
}

func (k layerKind) listOurs(ctx context.Context, s *sweep) (map[string]manifest.Ref, error) {
	ours := map[string]manifest.Ref{}
	pages := lambda.NewListLayersPaginator(s.cl.lambda, &lambda.ListLayersInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, classify(err)
		}
		for _, item := range page.Layers {
			if item.LatestMatchingVersion == nil {
				continue
			}
			_, owner := marked(awssdk.ToString(item.LatestMatchingVersion.Description))
			ref, err := manifest.ParseRef(owner.Resource)
			if err == nil && s.p.owns(providers.Owner{Pipeline: owner.Pipeline, Environment: owner.Environment}) {
				ours[awssdk.ToString(item.LayerName)] = ref
			}
		}
	}
	return ours, nil
}
