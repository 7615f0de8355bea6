package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// outside lets something befall functions without a call of Lambda: in the
// registry, in KMS, or to the runtimes.
func (p *python) outside(what string, with with) {
	p.t.Helper()
	body, err := json.Marshal(with)
	check(p.t, err)
	res, err := http.Post(p.url+"/_sandbox/"+what, "application/json", bytes.NewReader(body))
	check(p.t, err)
	check(p.t, res.Body.Close())
	if res.StatusCode != http.StatusNoContent {
		p.t.Fatalf("%s: %s", what, res.Status)
	}
}

// member is one of a function's, as somebody else reads it.
func (p *python) member(physical, name string) string {
	p.t.Helper()
	text, err := json.Marshal(p.do("lambda", "get_function_configuration", with{"FunctionName": physical})[name])
	check(p.t, err)
	return string(text)
}

// befall checks that a member of a function is another one after what befell
// it: what is no drift must have happened.
func (p *python) befall(physical, member string, what func()) {
	p.t.Helper()
	before := p.member(physical, member)
	if what(); p.member(physical, member) == before {
		p.t.Fatalf("%s of %s is still %s", member, physical, before)
	}
}

const (
	repository = "111111111111.dkr.ecr.eu-west-1.amazonaws.com/"
	ourKey     = "arn:aws:kms:eu-west-1:111111111111:key/0f0f0f0f-1234"
)

var firstImage, secondImage = strings.Repeat("1a", 32), strings.Repeat("2b", 32)

// imaged is the manifest of a function from an image.
func imaged() string {
	return "apiVersion: mooring.dev/v1\nkind: Function\nmetadata: {name: NAME}\nspec:\n  artifact: {image: '" + repository + "NAME@sha256:" + firstImage + "'}\n  role: {arn: 'arn:aws:iam::111111111111:role/drift'}\n"
}

// outsideRows are what happens to a function without a call of Lambda.
func outsideRows() []driftRow {
	push := func(h *python, name, digest string) {
		h.outside("images", with{"uri": repository + name + ":latest", "digest": digest})
	}
	deploy := func(h *python, physical, name string) {
		h.do("lambda", "update_function_code", with{"FunctionName": physical, "ImageUri": repository + name + ":latest"})
		for range 100 {
			if h.member(physical, "LastUpdateStatus") == `"Successful"` {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		h.t.Fatalf("the update of %s does not end", physical)
	}
	return []driftRow{
		{number: "3", name: "image-pushed", deed: "an image's tag pushed again", declared: imaged(), hand: func(h *python, _ string) {
			push(h, "image-pushed", firstImage)
			push(h, "image-pushed", secondImage)
		}},
		{number: "3", name: "image-same", deed: "the declared image deployed by its tag", declared: imaged(), hand: func(h *python, n string) {
			push(h, "image-same", firstImage)
			h.befall(n, "RevisionId", func() { deploy(h, n, "image-same") })
		}},
		{number: "3", name: "image-other", deed: "a tag that was pushed again deployed", declared: imaged(), hand: func(h *python, n string) {
			push(h, "image-other", secondImage)
			deploy(h, n, "image-other")
		}, want: []wanted{
			{"Function/NAME code changed", `"` + firstImage + `"`, `"` + secondImage + `"`, "high", reverts, "UpdateFunctionCode", false},
		}, writes: []string{"UpdateFunctionCode architectures imageUri"}},
		{number: "12", name: "env-locked", deed: "the key of the variables disabled", declared: function("environment: {LEVEL: info}", "kmsKeyArn: '"+ourKey+"'"), hand: func(h *python, n string) {
			h.befall(n, "Environment", func() { h.outside("keys", with{"arn": ourKey, "disabled": true}) })
		}, unread: []string{"Function/NAME environment", "Function/NAME environment.LEVEL"}},
		{number: "52", name: "runtime-build", deed: "another build of a runtime", declared: strings.Replace(function(), "provided.al2023", "python3.13", 1), hand: func(h *python, n string) {
			h.befall(n, "RuntimeVersionConfig", func() { h.outside("runtimes", with{"runtime": "python3.13", "build": "next"}) })
		}},
	}
}
