package main

import (
	"context"
	"io/fs"

	"go.uber.org/zap"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
	"mooring.dev/policy/rego/worker"
)

// policies loads a control tree's policies into this process: the way of
// commands, which judge a folder of their user's, once, and end. The daemon,
// which judges whatever is pushed, has workers for it.
func policies(tree fs.FS, revision string) (policy.Evaluator, error) {
	bundle, err := rego.Load(tree, rego.LoadOptions{Revision: revision})
	if err != nil {
		return nil, err
	}
	return rego.New(bundle, rego.EvaluatorOptions{}), nil
}

func closedPolicies(err error) policy.Evaluator { return rego.Closed(err) }

// policyWorkers are processes that evaluate, and may be lost over it.
func policyWorkers(log *zap.Logger) (*worker.Pool, error) {
	return worker.New(worker.Options{Notice: func(l worker.Loss) {
		log.Warn("policy worker lost", zap.String("environment", l.Environment), zap.String("point", l.Point), zap.Error(l.Err))
	}})
}

// within loads policies into the workers of a pool.
func within(ctx context.Context, pool *worker.Pool) func(fs.FS, string) (policy.Evaluator, error) {
	return func(tree fs.FS, revision string) (policy.Evaluator, error) {
		p, err := pool.Load(ctx, tree, revision)
		if err != nil {
			return nil, err
		}
		return p, nil
	}
}
