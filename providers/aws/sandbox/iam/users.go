package iam

import (
	"context"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// User is a user as IAM answers it. There are no users but those who call.
type User struct {
	Path, UserName, UserId, Arn string
	CreateDate                  time.Time
}

type userInput struct{ UserName string }

type userOutput struct{ User User }

func (s *Service) userOperations() map[string]wire.Operation {
	return map[string]wire.Operation{"GetUser": wire.Op(s.getUser)}
}

// getUser tells a user about itself; every access key here has always been.
func (s *Service) getUser(_ context.Context, c *wire.Call, in *userInput) (userOutput, error) {
	name, ok := strings.CutPrefix(c.Actor.Name, "user/")
	switch {
	case in.UserName == "" && !ok:
		return userOutput{}, fail(400, "ValidationError", "Must specify userName when calling with non-User credentials")
	case in.UserName != "" && (!ok || in.UserName != name):
		return userOutput{}, noEntity("user", in.UserName)
	}
	return userOutput{User: User{
		Path: "/", UserName: name, UserId: c.Actor.AccessKey, Arn: c.Actor.ARN, CreateDate: s.created,
	}}, nil
}
