package states

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

// task runs one Task by its resource.
func (r *runner) task(ctx context.Context, s *state, input any) (any, *failure) {
	if s.TimeoutSeconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(s.TimeoutSeconds*float64(time.Second)))
		defer cancel()
	}
	members, _ := input.(map[string]any)
	member := func(name string) string {
		value, _ := members[name].(string)
		return value
	}
	switch {
	case strings.Contains(s.Resource, ":lambda:") && strings.Contains(s.Resource, ":function:"):
		return r.invoke(ctx, s.Resource, input)
	case s.Resource == "arn:aws:states:::lambda:invoke":
		output, failed := r.invoke(ctx, member("FunctionName"), members["Payload"])
		if failed != nil {
			return nil, failed
		}
		return map[string]any{"Payload": output, "StatusCode": float64(200)}, nil
	case s.Resource == "arn:aws:states:::sqs:sendMessage":
		return r.send(ctx, member("QueueUrl"), members["MessageBody"])
	}
	return nil, &failure{"States.Runtime", "the sandbox has no integration " + s.Resource}
}

func (r *runner) allowed(action string) *failure {
	if allows := r.service.options.Neighbours.Allows; allows != nil && !allows(r.role, action) {
		return &failure{"States.TaskFailed", r.role + " is not authorized to perform: " + action}
	}
	return nil
}

func (r *runner) invoke(ctx context.Context, arn string, payload any) (any, *failure) {
	n := r.service.options.Neighbours
	if failed := r.allowed("lambda:InvokeFunction"); failed != nil {
		return nil, &failure{"Lambda.AccessDeniedException", failed.Cause}
	}
	if n.Invoke == nil {
		return nil, &failure{"States.Runtime", "there are no functions here"}
	}
	r.e.note("LambdaFunctionScheduled", map[string]any{"resource": arn, "input": text(payload)})
	answer, failed, err := n.Invoke(ctx, arn, []byte(text(payload)))
	switch {
	case ctx.Err() != nil:
		return nil, &failure{"States.Timeout", "the task took too long"}
	case err != nil:
		return nil, &failure{"Lambda.ResourceNotFoundException", err.Error()}
	case failed != "":
		var said struct{ ErrorType string }
		_ = json.Unmarshal(answer, &said) // what is no JSON has no type
		if said.ErrorType == "" {
			said.ErrorType = "Lambda.Unknown"
		}
		r.e.note("LambdaFunctionFailed", map[string]any{"error": said.ErrorType, "cause": string(answer)})
		return nil, &failure{said.ErrorType, string(answer)}
	}
	r.e.note("LambdaFunctionSucceeded", map[string]any{"output": string(answer)})
	var output any
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &output); err != nil {
			return nil, runtimeFailure(err)
		}
	}
	return output, nil
}

func (r *runner) send(ctx context.Context, url string, body any) (any, *failure) {
	n := r.service.options.Neighbours
	if failed := r.allowed("sqs:SendMessage"); failed != nil {
		return nil, &failure{"SQS.AccessDeniedException", failed.Cause}
	}
	if n.Send == nil {
		return nil, &failure{"States.Runtime", "there are no queues here"}
	}
	message, isText := body.(string)
	if !isText {
		message = text(body)
	}
	id, err := n.Send(ctx, url, message)
	if err != nil {
		return nil, &failure{"SQS.QueueDoesNotExistException", err.Error()}
	}
	return map[string]any{"MessageId": id}, nil
}
