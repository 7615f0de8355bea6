package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// settings drafts what AWS keeps beside versions.
func (l *living) settings(ctx context.Context, name string) error {
	version := ""
	if l.alias != nil {
		version = awssdk.ToString(l.alias.FunctionVersion)
	}
	s, err := l.a.p.lookSettings(ctx, l.a.cl, name, optionalList(version), l.config.PackageType != types.PackageTypeImage)
	if err != nil {
		return err
	}
	for _, q := range sortedKeys(s.provisioned) {
		if q == version && version != "" {
			l.d.Spec["provisionedConcurrentExecutions"] = s.provisioned[q].requested
			continue
		}
		l.d.Leave("provisioned concurrency on %s: it is declared for the version that serves; it stays as it is, and drift tells of it", q)
	}
	if mode := s.runtimes[version]; mode.updateOn != "" && mode.updateOn != "Auto" {
		management := map[string]any{"updateRuntimeOn": mode.updateOn}
		if mode.updateOn == "Manual" {
			management["runtimeVersionArn"] = mode.arn
		}
		l.d.Spec["runtimeManagementConfig"] = management
	}
	if r, ok := recall(&l.a.p.memory, l.a.p.memory.recursion, name); ok && r.loop == "Allow" {
		l.d.Spec["recursiveLoop"] = "Allow"
	}
	return nil
}

func optionalList(version string) []string {
	if version == "" {
		return nil
	}
	return []string{version}
}
