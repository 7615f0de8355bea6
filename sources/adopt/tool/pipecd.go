package tool

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"mooring.dev/sources/adopt"
	"mooring.dev/sources/adopt/template"
	"mooring.dev/sources/manifest"
)

// pipecdAlias is the one PipeCD moves traffic by.
const pipecdAlias = "Service"

// maxFiles bounds what one folder may hold.
const maxFiles = 20_000

// PipeCD drafts every function that a folder's files declare for Lambda:
// function.yaml with its app.pipecd.yaml beside it.
func PipeCD(tree fs.FS, o template.Options) (adopt.Found, error) {
	var found adopt.Found
	var faults []error
	files := 0
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if files++; files > maxFiles {
			return fmt.Errorf("the folder holds more than %d files", maxFiles)
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && name != "." {
			return fs.SkipDir
		}
		if !d.Type().IsRegular() || path.Ext(name) != ".yaml" && path.Ext(name) != ".yml" {
			return nil
		}
		doc, err := read(tree, name)
		if err != nil {
			faults = append(faults, err)
			return nil
		}
		if doc["kind"] == "LambdaFunction" {
			one, err := pipecdFunction(tree, name, doc, o)
			found.Drafts, found.Left = append(found.Drafts, one.Drafts...), append(found.Left, one.Left...)
			faults = append(faults, err)
		}
		return nil
	})
	if err != nil {
		return found, fmt.Errorf("read PipeCD's files: %w", err)
	}
	if err := errors.Join(faults...); err != nil {
		return found, err
	}
	if len(found.Drafts) == 0 {
		return found, errors.New("the folder declares no LambdaFunction of PipeCD")
	}
	return found, nil
}

// read parses a file of PipeCD's; other files are nothing.
func read(tree fs.FS, name string) (map[string]any, error) {
	data, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(string(data), "pipecd.dev/") {
		return nil, nil
	}
	return template.Parse(name, data)
}

// members are PipeCD's names for members of CreateFunction.
var members = map[string]string{
	"name": "FunctionName", "role": "Role", "memory": "MemorySize", "timeout": "Timeout", "handler": "Handler", "runtime": "Runtime",
	"layers": "Layers",
}

// otherwise are read in another way.
var otherwise = map[string]bool{
	"image": true, "s3Bucket": true, "s3Key": true, "s3ObjectVersion": true, "source": true, "architectures": true,
	"ephemeralStorage": true, "vpcConfig": true, "environments": true, "tags": true,
}

func pipecdFunction(tree fs.FS, name string, doc map[string]any, o template.Options) (adopt.Found, error) {
	spec, _ := doc["spec"].(map[string]any)
	id, _ := spec["name"].(string)
	if id == "" {
		return adopt.Found{}, fmt.Errorf("%s: a LambdaFunction without spec.name", name)
	}
	in := map[string]any{}
	var left []string
	for key, value := range spec {
		switch to := members[key]; {
		case to != "":
			in[to] = value
		case !otherwise[key]:
			left = append(left, fmt.Sprintf("%s: not carried over", key))
		}
	}
	if image, ok := spec["image"].(string); ok {
		in["PackageType"], in["ImageUri"] = "Image", image
	} else if bucket, ok := spec["s3Bucket"].(string); ok {
		in["Code"] = map[string]any{"S3Bucket": bucket, "S3Key": spec["s3Key"]}
	} else if source, ok := spec["source"].(map[string]any); ok {
		in["CodeUri"] = fmt.Sprintf("%v at %v, %v", source["git"], source["ref"], source["path"])
	}
	var architectures []any
	list, _ := spec["architectures"].([]any)
	for _, item := range list {
		if a, ok := item.(map[string]any); ok {
			architectures = append(architectures, a["name"])
		}
	}
	if architectures != nil {
		in["Architectures"] = architectures
	}
	if storage, ok := spec["ephemeralStorage"].(map[string]any); ok {
		in["EphemeralStorage"] = map[string]any{"Size": storage["size"]}
	}
	if vpc, ok := spec["vpcConfig"].(map[string]any); ok {
		in["VpcConfig"] = map[string]any{"SubnetIds": vpc["subnetIds"], "SecurityGroupIds": vpc["securityGroupIds"]}
	}
	if variables, ok := spec["environments"].(map[string]any); ok {
		in["Environment"] = map[string]any{"Variables": variables}
	}
	if tags, ok := spec["tags"].(map[string]any); ok {
		in["Tags"] = tags
	}
	found := template.Function(id, in, o)
	d := &found.Drafts[0]
	d.Left = append(d.Left, left...)
	d.Spec["alias"] = pipecdAlias
	return found, pipecdApp(tree, path.Join(path.Dir(name), "app.pipecd.yaml"), d)
}

// pipecdApp reads how the function is rolled out.
func pipecdApp(tree fs.FS, name string, d *manifest.Draft) error {
	doc, err := read(tree, name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && doc == nil {
		d.Leave("no app.pipecd.yaml beside it: its rollout is the environment's")
		return nil
	}
	if err != nil {
		return err
	}
	spec, _ := doc["spec"].(map[string]any)
	if group, ok := spec["name"].(string); ok {
		d.Group = group
	}
	pipeline, _ := spec["pipeline"].(map[string]any)
	stages, _ := pipeline["stages"].([]any)
	var ladder []any
	for _, item := range stages {
		stage, _ := item.(map[string]any)
		with, _ := stage["with"].(map[string]any)
		switch kind := fmt.Sprint(stage["name"]); kind {
		case "LAMBDA_CANARY_ROLLOUT": // the version is published: that comes by itself
		case "LAMBDA_PROMOTE":
			if weight, ok := percent(with["percent"]); ok && weight < 100 {
				ladder = append(ladder, map[string]any{"weight": weight, "hold": "5m"})
			}
		case "WAIT":
			if last := len(ladder) - 1; last >= 0 && with["duration"] != nil {
				ladder[last].(map[string]any)["hold"] = fmt.Sprint(with["duration"])
			}
		default:
			d.Leave("stage %s of its pipeline: approvals are the pipeline's promotion and policy, analysis is rollout.analysis", kind)
		}
	}
	if len(ladder) > 0 {
		d.Spec["rollout"] = map[string]any{"strategy": "canary", "stages": ladder}
	}
	return nil
}

// percent reads 10, "10" and "10%".
func percent(x any) (int, bool) {
	var n int
	_, err := fmt.Sscan(strings.TrimSuffix(fmt.Sprint(x), "%"), &n)
	return n, err == nil && n > 0
}
