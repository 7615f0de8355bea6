package aws

import (
	"context"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"

	"mooring.dev/providers"
)

// stage makes the stage, or writes what of it differs. Settings of a route
// that does not live yet wait for it.
func (w *apiWrite) stage(ctx context.Context) error {
	live := w.now.stage(w.want.stage.name)
	if live == nil {
		return w.createStage(ctx)
	}
	desired := liveStage(live)
	in := &apigatewayv2.UpdateStageInput{ApiId: w.id, StageName: &w.want.stage.name}
	update, clearLog := false, false
	for _, path := range merge(stageMembers, &desired, &w.want.stage, w.allowed) {
		switch {
		case path == "stage.autoDeploy":
			in.AutoDeploy = &desired.automatic
		case path == "stage.description":
			in.Description = &desired.description
		case strings.HasPrefix(path, "stage.defaultRouteSettings."):
			in.DefaultRouteSettings = pointer(desired.defaults.settings())
		case desired.logArn == "" && desired.logFormat == "":
			clearLog = true
			continue
		default:
			in.AccessLogSettings = &types.AccessLogSettings{DestinationArn: &desired.logArn, Format: &desired.logFormat}
		}
		update = true
	}
	if clearLog {
		out, err := w.apis.DeleteAccessLogSettings(ctx, &apigatewayv2.DeleteAccessLogSettingsInput{ApiId: w.id, StageName: &w.want.stage.name})
		if err != nil {
			return classify(err)
		}
		_ = w.did(out.ResultMetadata)
	}
	in.StageVariables = w.variables(desired.variables)
	settings, waiting := w.routeSettings(desired.settings)
	in.RouteSettings = settings
	if update || len(in.StageVariables) > 0 || len(settings) > 0 {
		out, err := w.apis.UpdateStage(ctx, in)
		if err != nil {
			return classify(err)
		}
		_ = w.did(out.ResultMetadata)
	}
	if waiting != "" {
		return providers.Errorf(providers.Transient, "its route %s does not live yet", waiting)
	}
	return nil
}

func (w *apiWrite) createStage(ctx context.Context) error {
	wanted := w.c.Fields == nil
	for _, path := range w.c.Fields {
		wanted = wanted || strings.HasPrefix(path, "stage.")
	}
	if !wanted {
		return nil
	}
	s := &w.want.stage
	settings, _ := w.routeSettings(nil)
	in := &apigatewayv2.CreateStageInput{
		ApiId: w.id, StageName: &s.name, AutoDeploy: &s.automatic, Description: optional(s.description),
		DefaultRouteSettings: pointer(s.defaults.settings()), RouteSettings: settings, StageVariables: s.variables,
	}
	if s.logArn != "" {
		in.AccessLogSettings = &types.AccessLogSettings{DestinationArn: &s.logArn, Format: &s.logFormat}
	}
	out, err := w.apis.CreateStage(ctx, in)
	if err != nil {
		return classify(err)
	}
	return w.did(out.ResultMetadata)
}

func (r routeSettings) settings() types.RouteSettings {
	out := types.RouteSettings{DetailedMetricsEnabled: &r.Detailed, ThrottlingRateLimit: r.Rate}
	if r.Burst != nil {
		out.ThrottlingBurstLimit = awssdk.Int32(int32(*r.Burst))
	}
	return out
}

// variables are the stage variables that are to be written.
func (w *apiWrite) variables(live map[string]string) map[string]string {
	out := map[string]string{}
	for name, value := range w.want.stage.variables {
		if got, there := live[name]; w.allowed(keyPath(pathStageVariables, name)) && (!there || got != value) {
			out[name] = value
		}
	}
	return out
}

// routeSettings are the settings of routes that are to be written, and a route
// that has to be made first.
func (w *apiWrite) routeSettings(live map[string]routeSettings) (out map[string]types.RouteSettings, waiting string) {
	out = map[string]types.RouteSettings{}
	for _, key := range sortedKeys(w.want.stage.settings) {
		want := w.want.stage.settings[key]
		got, there := live[key]
		switch {
		case !w.allowed(keyPath(pathRouteSettings, key)) || there && canonicalJSON(got) == canonicalJSON(want):
		case w.now.route(key) == nil:
			waiting = key
		default:
			out[key] = want.settings()
		}
	}
	return out, waiting
}

func pointer[T any](v T) *T { return &v }
