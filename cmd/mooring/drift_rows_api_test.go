package main

// api is the id of an API, which is all that API Gateway knows it by.
func (p *python) api(name string) string {
	listed, _ := p.do("apigatewayv2", "get_apis", with{})["Items"].([]any)
	for _, item := range listed {
		if a, ok := item.(map[string]any); ok && a["Name"] == name {
			id, _ := a["ApiId"].(string)
			return id
		}
	}
	return ""
}

// route is the id of a route of an API, by its key.
func (p *python) route(api, key string) string {
	listed, _ := p.do("apigatewayv2", "get_routes", with{"ApiId": api})["Items"].([]any)
	for _, item := range listed {
		if r, ok := item.(map[string]any); ok && r["RouteKey"] == key {
			id, _ := r["RouteId"].(string)
			return id
		}
	}
	return ""
}

// apiRows are of an HTTP API and the route of a function on it. What Mooring
// writes names neither by its name: that it was put back shows by looking.
func apiRows() []driftRow {
	front := "---\napiVersion: mooring.dev/v1\nkind: Api\nmetadata: {name: NAME}\nspec:\n  authorizers: {people: {jwtConfiguration: {issuer: 'https://id.example', audience: [shop]}}}\n" +
		"  stage: {defaultRouteSettings: {throttlingBurstLimit: 100, throttlingRateLimit: 50}}\n"
	declared := function("triggers: {web: {api: Api/NAME, routes: [GET /me], authorizer: people, timeoutInMillis: 5000}}", front)
	look := func(h *python, n string) any {
		id := h.api(n)
		routes, _, _ := h.try("apigatewayv2", "get_routes", with{"ApiId": id})
		stage, _, _ := h.try("apigatewayv2", "get_stage", with{"ApiId": id, "StageName": "$default"})
		delete(stage, "DeploymentId") // every change is deployed
		delete(stage, "LastUpdatedDate")
		return []any{routes, stage}
	}
	return []driftRow{
		{number: "73", name: "api-throttled", deed: "stage throttled", declared: declared, look: look, hand: func(h *python, n string) {
			h.as("carol").do("apigatewayv2", "update_stage", with{"ApiId": h.api(n), "StageName": "$default",
				"DefaultRouteSettings": with{"ThrottlingBurstLimit": 100, "ThrottlingRateLimit": 1}})
		}, who: "user/carol", want: []wanted{
			{"Api/NAME stage.defaultRouteSettings.throttlingRateLimit changed", "50", "1", "high", holds, "UpdateStage", false},
		}},
		{number: "73", name: "api-asks-nobody", deed: "route's authorizer taken away", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("apigatewayv2", "update_route", with{"ApiId": h.api(n), "RouteId": h.route(h.api(n), "GET /me"), "AuthorizationType": "NONE"})
		}, want: []wanted{
			{`Route/NAME.web routes["GET /me"] changed`, `{"authorization":"people"}`, `{"authorization":"NONE"}`, "critical", reverts, "UpdateRoute", false},
		}},
		{number: "73", name: "api-route-gone", deed: "route deleted", declared: declared, hand: func(h *python, n string) {
			h.do("apigatewayv2", "delete_route", with{"ApiId": h.api(n), "RouteId": h.route(h.api(n), "GET /me")})
		}, want: []wanted{
			{`Route/NAME.web routes["GET /me"] missing`, `{"authorization":"people"}`, "", "high", reverts, "DeleteRoute", false},
		}},
		{number: "73", name: "api-route-extra", deed: "route that asks nobody added", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("apigatewayv2", "create_route", with{"ApiId": h.api(n), "RouteKey": "GET /debug"})
		}, want: []wanted{
			{"Route/NAME.GET /debug extra", "", `{"authorization":"NONE","target":""}`, "critical", reverts, "CreateRoute", false},
		}},
	}
}
