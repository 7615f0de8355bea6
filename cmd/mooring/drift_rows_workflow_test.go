package main

// stateMachine is the ARN of a row's state machine.
func stateMachine(physical string) string {
	return "arn:aws:states:eu-west-1:111111111111:stateMachine:" + physical
}

const handMadeFlow = `{"StartAt":"Note","States":{"Note":{"Type":"Pass","Next":"Slip"},"Slip":{"Type":"Pass","End":true}}}`

// workflowRows are of state machines and their aliases.
func workflowRows() []driftRow {
	declared := document("Workflow", "definition: {StartAt: Note, States: {Note: {Type: Pass, End: true}}}", "role: {statements: []}")
	look := func(h *python, n string) any {
		machine, _, _ := h.try("stepfunctions", "describe_state_machine", with{"stateMachineArn": stateMachine(n)})
		alias, _, _ := h.try("stepfunctions", "describe_state_machine_alias", with{"stateMachineAliasArn": stateMachine(n) + ":live"})
		if machine["status"] == "DELETING" {
			machine = nil
		}
		delete(machine, "revisionId")
		delete(alias, "updateDate")
		for _, out := range []map[string]any{machine, alias} {
			delete(out, "ResponseMetadata")
			delete(out, "creationDate")
		}
		return []any{machine, alias}
	}
	update := func(members with) func(*python, string) {
		return func(h *python, n string) {
			args := with{"stateMachineArn": stateMachine(n)}
			for key, value := range members {
				args[key] = value
			}
			h.do("stepfunctions", "update_state_machine", args)
		}
	}
	publish := func(h *python, n string) {
		update(with{"definition": handMadeFlow})(h, n)
		h.do("stepfunctions", "publish_state_machine_version", with{"stateMachineArn": stateMachine(n)})
	}
	route := func(n string, first, second int) []with {
		return []with{{"stateMachineVersionArn": stateMachine(n) + ":1", "weight": first}, {"stateMachineVersionArn": stateMachine(n) + ":2", "weight": second}}
	}
	return []driftRow{
		{number: "71", name: "flow-edited", deed: "definition of a state machine edited", declared: declared, look: look, hand: update(with{"definition": handMadeFlow}), want: []wanted{
			{"Workflow/NAME definition.States.Note changed", `{"End":true,"Type":"Pass"}`, `{"Next":"Slip","Type":"Pass"}`, "high", reverts, "UpdateStateMachine", false},
			{"Workflow/NAME definition.States.Slip extra", "", `{"End":true,"Type":"Pass"}`, "high", reverts, "UpdateStateMachine", false},
		}, writes: []string{"UpdateStateMachine definition publish roleArn"}},
		{number: "71", name: "flow-same", deed: "the same definition, written otherwise", declared: declared, look: look,
			hand: update(with{"definition": `{ "States": { "Note": { "End": true, "Type": "Pass" } }, "StartAt": "Note" }`})},
		{number: "71", name: "flow-role", deed: "role of a state machine swapped", declared: declared, look: look, before: flowRole, hand: func(h *python, n string) {
			update(with{"roleArn": "arn:aws:iam::111111111111:role/flows"})(h, n)
		}, want: []wanted{
			{"Workflow/NAME roleArn changed", `"arn:aws:iam::111111111111:role/production-NAME"`, `"arn:aws:iam::111111111111:role/flows"`, "high", reverts, "UpdateStateMachine", false},
		}, writes: []string{"UpdateStateMachine definition publish roleArn"}},
		{number: "71", name: "flow-logging", deed: "logging of a state machine raised", declared: declared, look: look, hand: update(with{"loggingConfiguration": with{
			"level": "ALL", "destinations": []with{{"cloudWatchLogsLogGroup": with{"logGroupArn": "arn:aws:logs:eu-west-1:111111111111:log-group:x:*"}}},
		}}), want: []wanted{
			{"Workflow/NAME loggingConfiguration.destinations changed", `""`, `"arn:aws:logs:eu-west-1:111111111111:log-group:x:*"`, "high", holds, "UpdateStateMachine", false},
			{"Workflow/NAME loggingConfiguration.level changed", `"OFF"`, `"ALL"`, "high", holds, "UpdateStateMachine", false},
		}},
		{number: "71", name: "flow-tracing", deed: "tracing of a state machine on", declared: declared, look: look, hand: update(with{"tracingConfiguration": with{"enabled": true}}), want: []wanted{
			{"Workflow/NAME tracingConfiguration.enabled changed", "false", "true", "low", reverts, "UpdateStateMachine", false},
		}, writes: []string{"UpdateStateMachine definition publish roleArn tracingConfiguration"}},
		{number: "71", name: "flow-gone", deed: "state machine deleted", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("stepfunctions", "delete_state_machine", with{"stateMachineArn": stateMachine(n)})
		}, want: []wanted{
			{"Workflow/NAME missing", "", "", "critical", holds, "DeleteStateMachine", false},
			{"WorkflowAlias/NAME.live missing", "", "", "high", reverts, "DeleteStateMachine", true},
		}},
		{number: "72", name: "flow-moved", deed: "alias of a state machine repointed", declared: declared, look: look, hand: func(h *python, n string) {
			publish(h.as("carol"), n)
			h.as("carol").do("stepfunctions", "update_state_machine_alias", with{"stateMachineAliasArn": stateMachine(n) + ":live", "routingConfiguration": route(n, 0, 100)[1:]})
			update(with{"definition": `{"StartAt":"Note","States":{"Note":{"Type":"Pass","End":true}}}`})(h, n)
		}, who: "user/carol", want: []wanted{
			{"WorkflowAlias/NAME.live routingConfiguration changed", `[{"stateMachineVersion":"1","weight":100}]`, `[{"stateMachineVersion":"2","weight":100}]`, "high", holds, "UpdateStateMachineAlias", false},
			{"Workflow/NAME versions.2 extra", "", `"published"`, "low", alerts, "PublishStateMachineVersion", false},
		}},
		{number: "72", name: "flow-weights", deed: "weights of a state machine's alias", declared: declared, look: look, hand: func(h *python, n string) {
			publish(h, n)
			h.do("stepfunctions", "update_state_machine_alias", with{"stateMachineAliasArn": stateMachine(n) + ":live", "routingConfiguration": route(n, 70, 30)})
			update(with{"definition": `{"StartAt":"Note","States":{"Note":{"Type":"Pass","End":true}}}`})(h, n)
		}, want: []wanted{
			{"WorkflowAlias/NAME.live routingConfiguration changed", `[{"stateMachineVersion":"1","weight":100}]`, `[{"stateMachineVersion":"1","weight":70},{"stateMachineVersion":"2","weight":30}]`, "high", holds, "UpdateStateMachineAlias", false},
			{"Workflow/NAME versions.2 extra", "", `"published"`, "low", alerts, "PublishStateMachineVersion", false},
		}},
		{number: "72", name: "flow-alias-gone", deed: "alias of a state machine deleted", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("stepfunctions", "delete_state_machine_alias", with{"stateMachineAliasArn": stateMachine(n) + ":live"})
		}, want: []wanted{
			{"WorkflowAlias/NAME.live missing", "", "", "high", reverts, "DeleteStateMachineAlias", false},
		}, writes: []string{"CreateStateMachineAlias routingConfiguration"}},
		{number: "72", name: "flow-alias-extra", deed: "alias added to a state machine", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("stepfunctions", "create_state_machine_alias", with{"name": "blue", "routingConfiguration": []with{{"stateMachineVersionArn": stateMachine(n) + ":1", "weight": 100}}})
		}, want: []wanted{
			{"WorkflowAlias/NAME.blue extra", "", `{"description":"","routingConfiguration":{"version":"1"}}`, "medium", alerts, "CreateStateMachineAlias", false},
		}},
	}
}

// flowRole makes another role that Step Functions may take.
func flowRole(h *python, _ string) {
	h.do("iam", "create_role", with{"RoleName": "flows", "AssumeRolePolicyDocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"states.amazonaws.com"},"Action":"sts:AssumeRole"}]}`})
}
