package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"mooring.dev/sources/adopt"
	"mooring.dev/sources/adopt/template"
	"mooring.dev/sources/adopt/tool"
)

// largestFile is more than any of these tools takes, in bytes.
const largestFile = 2 << 20

// files reads another tool's files. Nothing is asked of AWS: what only a
// deployment could tell is listed.
func (i *importing) files() (found adopt.Found, source string, err error) {
	i.target.Region = cmp.Or(i.target.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	if i.target.Region == "" {
		return found, "", fmt.Errorf("import: name the region the environment is in with --region")
	}
	o := template.Options{Region: i.target.Region, Account: i.target.Account, Parameters: i.parameters}
	name := cmp.Or(i.sam, i.pipecd, i.lambroll)
	source = "Read from " + filepath.Base(name)
	if i.pipecd != "" {
		found, err = tool.PipeCD(os.DirFS(name), o)
		return found, source, err
	}
	data, err := readSmall(name)
	if err != nil {
		return found, "", err
	}
	if i.lambroll != "" {
		found, err = tool.Lambroll(name, data, o)
		return found, source, err
	}
	beside, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return found, "", fmt.Errorf("import: %w", err)
	}
	defer func() { _ = beside.Close() }() // it is only read
	o.Tree = beside.FS()
	o.File, o.Stack = name, strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	found, err = template.Read(data, o)
	return found, source, err
}

func readSmall(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	defer func() { _ = file.Close() }() // it is only read
	data, err := io.ReadAll(io.LimitReader(file, largestFile+1))
	if err != nil {
		return nil, fmt.Errorf("import: read %s: %w", name, err)
	}
	if len(data) > largestFile {
		return nil, fmt.Errorf("import: %s is larger than %d bytes", name, largestFile)
	}
	return data, nil
}
